"use strict";

// @thream/socketio-jwt: who brings a token is let in.

const { createServer } = require("node:http");
const { authorize } = require("@thream/socketio-jwt");
const jwt = require("jsonwebtoken");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");

const httpServer = createServer();
const io = new Server(httpServer);
io.use(
  authorize({
    secret: "changeit",
    onAuthentication: async ({ name }) => ({ name: name.toUpperCase() }),
  }),
);
io.on("connection", (socket) => {
  socket.emit("welcome", socket.decodedToken.name, socket.user, typeof socket.encodedToken);
});

const TOKENS = {
  good: `Bearer ${jwt.sign({ name: "ann" }, "changeit")}`,
  "with another secret": `Bearer ${jwt.sign({ name: "ann" }, "other")}`,
  "of no kind": jwt.sign({ name: "ann" }, "changeit"),
  missing: undefined,
};

httpServer.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  for (const transports of [["websocket"], ["polling"]]) {
    for (const [name, token] of Object.entries(TOKENS)) {
      const auth = token === undefined ? {} : { token };
      const client = connect(url, { transports, forceNew: true, auth });
      const outcome = await new Promise((resolve) => {
        client.once("welcome", (...args) => resolve(args));
        client.once("connect_error", ({ message, data }) => resolve([message, data]));
      });
      console.log(transports.join(), name, JSON.stringify(outcome));
      client.disconnect();
    }
  }
  await io.close();
  console.log("closed");
});
