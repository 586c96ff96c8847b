// The classes by their paths, as programs for Socket.IO 2.x patch them.
import io = require("ferrosocket/v2");
import Namespace = require("ferrosocket/v2/namespace");
import Socket = require("ferrosocket/v2/socket");
import { expectType } from "../expect.js";

const server = io(3000);
const nsp = server.of("/");
expectType<boolean>()(nsp instanceof Namespace);
expectType<io.Namespace>()(Namespace.prototype);
expectType<io.Socket>()(Socket.prototype);
Socket.prototype.error = (data) => void data;
nsp.on("connection", (socket) => {
  if (socket instanceof Socket) expectType<io.Socket>()(socket);
});
// @ts-expect-error: classes are called with new
Namespace(server, "/");
