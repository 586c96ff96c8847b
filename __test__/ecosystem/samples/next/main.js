"use strict";

// Next.js with a server of one's own, as socket.io's guide shows it: pages and sockets by one port.

const { once } = require("node:events");
const { createServer } = require("node:http");
const next = require("next");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");

async function main() {
  const app = next({ dev: process.argv[2] === "dev", dir: __dirname, hostname: "127.0.0.1" });
  await app.prepare();
  const httpServer = createServer(app.getRequestHandler());
  const io = new Server(httpServer);
  io.on("connection", (socket) => socket.on("echo", (text, reply) => reply(text)));
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  const page = async () => {
    const answer = await fetch(`${url}/?name=Ann`);
    const [text] = (await answer.text()).match(/<p>.*?<\/p>/);
    console.log("page", answer.status, text.replaceAll("<!-- -->", ""));
  };
  const talk = async () => {
    for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
      const client = connect(url, { transports, forceNew: true });
      console.log("socket", transports.join(), await client.emitWithAck("echo", "hello"));
      client.disconnect();
    }
  };
  await talk();
  await page();
  await talk(); // Next.js listens to "upgrade" since its first request
  console.log("missing", (await fetch(`${url}/missing`)).status);
  await io.close();
  await app.close();
  console.log("closed");
  process.exit();
}

main();
