"use strict";

// Koa with sessions, which the sockets read.

const { once } = require("node:events");
const { createServer } = require("node:http");
const Koa = require("koa");
const session = require("koa-session");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");

const app = new Koa();
app.keys = ["changeit"];
app.use((session.default ?? session)({ key: "koa" }, app));
app.use(async (ctx, next) => {
  const before = ctx.path;
  await next();
  ctx.set("x-path", before);
});
app.use((ctx) => {
  if (ctx.path !== "/") return;
  ctx.session.views = (ctx.session.views ?? 0) + 1;
  ctx.body = { views: ctx.session.views };
});

const httpServer = createServer(app.callback());
const io = new Server(httpServer);
io.use((socket, next) => {
  const ctx = app.createContext(socket.request, {});
  socket.data.views = ctx.session?.views ?? 0;
  next();
});
io.on("connection", (socket) => socket.on("views", (reply) => reply(socket.data.views)));

async function main() {
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  let cookie = "";
  for (let view = 1; view <= 2; view++) {
    const answer = await fetch(url, { headers: { cookie } });
    cookie = answer.headers
      .getSetCookie()
      .map((one) => one.split(";")[0])
      .join("; ");
    console.log(answer.status, answer.headers.get("x-path"), await answer.text());
    for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
      const client = connect(url, { transports, forceNew: true, extraHeaders: { cookie } });
      console.log(transports.join(), await client.emitWithAck("views"));
      client.disconnect();
    }
  }
  console.log("missing", (await fetch(`${url}/missing`)).status);
  await io.close();
  console.log("closed");
}

main();
