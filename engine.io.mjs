// The ES module face: the same by name, as upstream has it.
import engine from "./engine.io.js";

export const { Server, Socket, Transport, transports, listen, attach, parser, protocol, uServer } =
  engine;
