export {
  attach,
  listen,
  parser,
  protocol,
  Server,
  Socket,
  Transport,
  transports,
  uServer,
} from "./engine.io.js";
export type { AttachOptions, BaseServer, ErrorCallback, ServerOptions } from "./engine.io.js";
