/**
 * What `require("socket.io")` gives, and the types of what that gives. `Server`, `Namespace` and `Socket` are values of the module;
 * all others are types, some of them without a name there.
 *
 * @module socket.io
 */
export * from "../../types/server";
export * from "../../types/namespace";
export * from "../../types/parent-namespace";
export * from "../../types/socket";
export * from "../../types/socket-types";
export * from "../../types/operators";
export * from "../../types/broadcast-operator";
export * from "../../types/options";
export * from "../../types/engine";
export * from "../../types/client";
export * from "../../types/adapter";
export * from "../../types/packet";
export * from "../../types/typed-events";
