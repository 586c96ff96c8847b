export * from "../types/parent-namespace";
