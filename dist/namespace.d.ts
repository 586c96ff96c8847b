export * from "../types/namespace";
