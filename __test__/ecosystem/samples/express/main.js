"use strict";

// Express 5 with sessions and passport, as socket.io's guide shows them: who logs in over HTTP is known to the sockets, and who logs
// out loses them.

const { once } = require("node:events");
const { createServer } = require("node:http");
const express = require("express");
const session = require("express-session");
const passport = require("passport");
const { Strategy } = require("passport-local");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");

const app = express();
const httpServer = createServer(app);
const sessions = session({ secret: "changeit", resave: true, saveUninitialized: true });

app.use(sessions);
app.use(express.urlencoded({ extended: false }));
app.use(passport.session());
app.post("/login", passport.authenticate("local"), (req, res) => {
  res.json({ user: req.user.name });
});
app.post("/logout", (req, res, next) => {
  const { id } = req.session;
  req.logout((error) => {
    if (error) next(error);
    else {
      io.in(`session:${id}`).disconnectSockets();
      res.status(204).end();
    }
  });
});
app.use((req, res) => res.status(404).json({ missing: req.path }));

passport.use(
  new Strategy((username, password, done) => {
    done(null, password === "secret" && { name: username });
  }),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const io = new Server(httpServer);
const onHandshake = (middleware) => (req, res, next) =>
  req._query.sid === undefined ? middleware(req, res, next) : next();
io.engine.use(onHandshake(sessions));
io.engine.use(onHandshake(passport.session()));
io.engine.use(
  onHandshake((req, res, next) => {
    if (req.user) return next();
    res.writeHead(401);
    return res.end();
  }),
);

io.on("connection", (socket) => {
  const { request } = socket;
  socket.join(`session:${request.session.id}`);
  socket.on("who am i", (reply) => reply(request.user.name));
  socket.on("count", (reply) => {
    request.session.reload((error) => {
      if (error) return socket.disconnect();
      request.session.count = (request.session.count ?? 0) + 1;
      return request.session.save(() => reply(request.session.count));
    });
  });
});

const post = (url, body, cookie = "") =>
  fetch(url, { method: "POST", body: new URLSearchParams(body), headers: { cookie } });

async function main() {
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  console.log("missing", (await fetch(`${url}/missing`)).status);
  console.log("wrong", (await post(`${url}/login`, { username: "ann", password: "?" })).status);

  for (const transports of [["websocket"], ["polling"]]) {
    const stranger = connect(url, { transports, forceNew: true, reconnection: false });
    const [error] = await new Promise((resolve) =>
      stranger.once("connect_error", (...args) => resolve(args)),
    );
    console.log("stranger", transports[0], error.message);
  }

  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const login = await post(`${url}/login`, { username: "ann", password: "secret" });
    const [cookie] = login.headers.get("set-cookie").split(";");
    console.log("login", login.status, await login.text());
    const options = { transports, forceNew: true, extraHeaders: { cookie } };
    const client = connect(url, options);
    console.log(transports.join(), await client.emitWithAck("who am i"));
    console.log(await client.emitWithAck("count"), await client.emitWithAck("count"));
    const gone = new Promise((resolve) => client.once("disconnect", resolve));
    console.log("logout", (await post(`${url}/logout`, {}, cookie)).status, await gone);
    client.disconnect();
  }
  await io.close();
  console.log("closed");
}

main();
