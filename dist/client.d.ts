export * from "../types/client";
