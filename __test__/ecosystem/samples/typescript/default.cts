// The other ways to import it. CommonJS: there is no default export for modules.

import io, { Server as Named } from "socket.io";
import * as all from "socket.io";
import { io as connect, Socket } from "socket.io-client";

const server: Named = new all.Server();
const other: all.Server = new Named(3000, { transports: ["websocket"] });
const client: Socket = connect("http://localhost");
export { client, io, other, server };
