/**
 * What `require("ferrosocket/engine.io")` gives: Engine.IO without Socket.IO.
 *
 * @module engine.io
 */
export * from "../../engine.io";
