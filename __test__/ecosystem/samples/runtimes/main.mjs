// What a server does on any runtime: all transports, rooms, acknowledgements, binary, middlewares, pages and the client's files
// beside, and the end.

import { once } from "node:events";
import http from "node:http";
import process from "node:process";
import { Buffer } from "node:buffer";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";

const httpServer = http.createServer((req, res) => res.end("a page"));
const io = new Server(httpServer, { cors: { origin: "*" } });
io.use((socket, next) =>
  socket.handshake.auth.name === "nobody" ? next(new Error("who are you?")) : next(),
);
io.of("/other").on("connection", (socket) => socket.emit("welcome", socket.nsp.name));
io.on("connection", (socket) => {
  console.log("connection", socket.conn.transport.name, socket.handshake.query.EIO);
  socket.on("echo", (value, reply) => reply(value));
  socket.on("join", async (reply) => {
    await socket.join("room");
    io.to("room").emit("joined", [...socket.rooms].length);
    reply((await io.in("room").fetchSockets()).length);
  });
  socket.on("disconnect", (reason) => console.log("disconnect", reason));
});

httpServer.listen(0, "127.0.0.1");
await once(httpServer, "listening");
const url = `http://127.0.0.1:${httpServer.address().port}`;
for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
  const client = connect(url, { transports, forceNew: true });
  const value = { text: "Grüße", long: "ü".repeat(5000), bytes: Buffer.alloc(100_000, "b") };
  const back = await client.emitWithAck("echo", value);
  const same = back.text === value.text && back.long === value.long;
  console.log(transports.join(), same, Buffer.from(back.bytes).equals(value.bytes));
  const joined = new Promise((resolve) => client.once("joined", resolve));
  console.log("joined", await client.emitWithAck("join"), await joined);
  const other = client.io.socket("/other");
  console.log("other", await new Promise((resolve) => other.once("welcome", resolve)));
  console.log("transport", client.io.engine.transport.name);
  const gone = new Promise((resolve) =>
    io.sockets.sockets.get(client.id).once("disconnect", resolve),
  );
  client.io._close();
  await gone;
}
const nobody = connect(url, { forceNew: true, auth: { name: "nobody" } });
console.log((await new Promise((resolve) => nobody.once("connect_error", resolve))).message);
nobody.disconnect();
for (const path of ["/", "/socket.io/socket.io.js", "/socket.io/?EIO=4&transport=nothing"]) {
  // no connection that is kept: Deno's server waits for those when it is to close
  const [answer] = await once(http.get(url + path, { agent: false }), "response");
  let body = "";
  for await (const chunk of answer) body += chunk;
  console.log(path, answer.statusCode, body.length < 100 ? body : "much");
}
await io.close();
console.log("closed");
process.exit();
