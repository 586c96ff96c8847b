"use strict";

// Feathers: a service over sockets and over HTTP, its events by channels, and an error of it.

const { once } = require("node:events");
const { feathers } = require("@feathersjs/feathers");
const { bodyParser, errorHandler, koa, rest } = require("@feathersjs/koa");
const socketio = require("@feathersjs/socketio");
const client = require("@feathersjs/socketio-client");
const { io: connect } = require("socket.io-client");

class Messages {
  all = [];

  async find() {
    return this.all;
  }

  async create(data, { provider, headers }) {
    if (data.text === "") throw new Error("an empty text");
    const message = { id: this.all.length, text: data.text, provider, from: headers["x-from"] };
    this.all.push(message);
    return message;
  }
}

const app = koa(feathers());
app.use(errorHandler());
app.use(bodyParser());
app.configure(rest());
app.configure(
  socketio((io) => {
    io.use((socket, next) => {
      socket.feathers.headers = { "x-from": socket.handshake.auth.from };
      next();
    });
  }),
);
app.use("messages", new Messages());
app.on("connection", (connection) => app.channel("everybody").join(connection));
app.service("messages").publish(() => app.channel("everybody"));

async function main() {
  const server = await app.listen(0, "127.0.0.1");
  if (!server.listening) await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const socket = connect(url, { transports, forceNew: true, auth: { from: transports[0] } });
    const remote = feathers().configure(client(socket));
    const messages = remote.service("messages");
    const created = new Promise((resolve) => messages.once("created", resolve));
    console.log(await messages.create({ text: "Grüße" }));
    console.log("event", await created);
    console.log("refused", await messages.create({ text: "" }).catch((error) => error.message));
    socket.disconnect();
  }
  const posted = await fetch(`${url}/messages`, {
    method: "POST",
    body: JSON.stringify({ text: "over HTTP" }),
    headers: { "content-type": "application/json", "x-from": "fetch" },
  });
  console.log(posted.status, await posted.json());
  console.log((await (await fetch(`${url}/messages`)).json()).length);
  await app.teardown();
  console.log("closed");
}

main();
