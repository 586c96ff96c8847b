// The entry for programs written for Socket.IO 2.x, by the package's own name.
import { createServer } from "http";
import io = require("ferrosocket/v2");
import { expectType } from "../expect.js";

// Ways to make a server.
const httpServer = createServer();
expectType<io.Server>()(io());
expectType<io.Server>()(io(httpServer, { origins: "foo.example:*", pingTimeout: 5000 }));
expectType<io.Server>()(new io(3000, { cookie: "io", cookiePath: false, cookieHttpOnly: true }));
expectType<io.Server>()(
  io.listen(3000, { handlePreflightRequest: (req, res) => res.end(req.url) }),
);
const server = io({ adapter: Function, parser: {}, origins: (origin, next) => next(null, true) });
// @ts-expect-error: a name, or nothing at all
io({ cookiePath: 1 });
// @ts-expect-error: no such option
io({ originz: "*:*" });
// @ts-expect-error: not a server
io(httpServer, 3000);

// Options: read without an argument, set with one.
expectType<string>()(server.path());
expectType<io.Server>()(server.path("/elsewhere").serveClient(false).origins(["*:80"]));
expectType<boolean>()(server.serveClient());
server.set("heartbeat interval", 1000).set("authorization", () => {});
server.checkRequest(httpServer as any, (err, success) => expectType<boolean>()(success));
// @ts-expect-error: a path is a text
server.path(1);

// Namespaces as plain objects.
expectType<io.Namespace>()(server.of("/n"));
expectType<io.Namespace>()(server.of(/^\/dynamic-\d+$/));
server.of((name, query, next) => next(null, name === query.name));
expectType<Record<string, io.Namespace>>()(server.nsps);
expectType<Record<string, io.Socket>>()(server.sockets.connected);
delete server.sockets.connected["id"];
// @ts-expect-error: a Map is what 4.x has
server.sockets.sockets.get("id");

// A chain changes the object, and gives it.
expectType<io.Server>()(server.json);
expectType<io.Namespace>()(server.to("a").in("b").volatile.binary(false).compress(true));
expectType<any>()(server.in("a").emit("event", 1, Buffer.from("")));
expectType<io.Namespace>()(server.in("a").send("text").write("text"));
server.in("a").clients((err, ids) => expectType<string[]>()(ids));
// @ts-expect-error: 2.x knows of no exceptions
server.to("a").except("b");
// @ts-expect-error: nor of promises
server.fetchSockets();

// Sockets.
server.on("connection", (socket) => {
  expectType<io.Socket>()(socket);
  expectType<Record<string, string>>()(socket.rooms);
  expectType<io.Socket>()(socket.join("a").join(["b", "c"], (err) => void err));
  expectType<io.Socket>()(socket.leave("a", () => {}));
  expectType<io.Socket>()(socket.broadcast.json.volatile.local.to("a"));
  expectType<Record<string, io.Socket>>()(socket.client.nsps);
  expectType<Record<string, io.Socket>>()(socket.client.sockets);
  for (const id of Object.keys(socket.acks)) socket.acks[id](1, 2);
  socket.use((event, next) => {
    expectType<any[]>()(event);
    next(new Error("refused"));
  });
  socket.on("disconnect", (reason) => expectType<string>()(reason));
  socket.emit("ask", 1, (answer: string) => answer.trim());
  socket.error({ code: 1 });
  expectType<any>()(socket.handshake.query.token);
  // @ts-expect-error: rooms are no Set
  socket.rooms.has("a");
  // @ts-expect-error: of 4.x
  socket.data.user = 1;
  // @ts-expect-error: a promise is what 4.x gives
  socket.join("a").then(() => {});
});
server.use((socket, next) => next(new Error(socket.id)));
expectType<void>()(server.close((err) => void err));
