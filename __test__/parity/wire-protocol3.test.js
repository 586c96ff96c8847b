"use strict";

/** Engine.IO protocol 3 and JSONP as bytes: what Socket.IO 1.x and 2.x clients speak. */

const assert = require("node:assert/strict");
const { eventually, until } = require("../support/waiting");
const { scenario } = require("./harness");

const OPTIONS = { allowEIO3: true };
const POLLING = "/socket.io/?EIO=3&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=3&transport=websocket";

/** A polling session that has fetched its "40": requests as the caller says, without any payload codec. */
async function open({ http }, query = "EIO=3&transport=polling", { join = true } = {}) {
  const opening = await http("GET", `/socket.io/?${query}`);
  const [, sid] = /sid\\?":\\?"([\w-]{20})/.exec(opening.body);
  const url = `/socket.io/?${query}&sid=${sid}`;
  const session = {
    opening,
    sid,
    url,
    get: (options) => http("GET", url, options),
    post: (body, options) => http("POST", url, { body, ...options }),
    postBinary: (body) =>
      http("POST", url, { body, headers: { "content-type": "application/octet-stream" } }),
  };
  if (join) session.joined = await session.get();
  return session;
}

/** A session and the server's socket for it. */
async function joined(stage, query) {
  const connection = until(stage.io, "connection");
  const session = await open(stage, query);
  const [socket] = await connection;
  return { session, socket };
}

/** What stands before a packet in a binary payload: 0 text or 1 bytes, and its length in bytes. */
const header = (kind, length) => Buffer.from([kind, ...String(length).split("").map(Number), 255]);

/** An answer that holds a session id, in JSON or in a script. */
const script = ({ status, headers, body }) => [
  status,
  headers,
  body.replace(/(sid\\?":\\?")[\w-]{20}/, "$1<id>"),
];

const shown = ({ status, headers, raw }) => [status, headers, raw.toString("latin1")];

scenario(
  "protocol 3: the handshake, and everyone joins the main namespace",
  { options: OPTIONS },
  async (stage) => {
    for (const query of [
      "EIO=3&transport=polling",
      "transport=polling",
      "EIO=5&transport=polling",
      "EIO=&transport=polling",
    ]) {
      const { session, socket } = await joined(stage, query);
      assert.match(
        session.opening.body,
        /^118:0\{"sid":".{20}","upgrades":\["websocket"\],"pingInterval":25000,/,
      );
      assert.equal(session.joined.body, "2:40");
      assert.equal(socket.id, session.sid);
      assert.equal(socket.conn.protocol, 3);
      stage.trace(
        "wire",
        script(session.opening),
        session.joined,
        socket.conn.protocol,
        socket.handshake.auth,
        socket.handshake.query,
      );
      socket.disconnect(true);
    }
  },
);

scenario("protocol 3: refused unless allowed", async ({ io, http, webSocket, trace }) => {
  io.engine.on("connection_error", ({ code, message, context }) =>
    trace("errors", code, message, context),
  );
  trace("polling", await http("GET", POLLING));
  // upstream answers 101 first and the refusal behind it, which no client can make sense of
  const raw = await webSocket(WEBSOCKET);
  await raw.gone();
});

scenario(
  "protocol 3: requests of Socket.IO 0.9 are refused",
  { options: OPTIONS },
  async ({ http, webSocket, trace }) => {
    for (const path of [
      "/socket.io/1/?t=1",
      "/socket.io/1/xhr-polling/4d4f185e96a7b?t=1",
      "/socket.io/1/jsonp-polling/x?i=0",
    ]) {
      const answer = await http("GET", path);
      assert.equal(answer.status, 400);
      trace("wire", path, answer.status, answer.headers, answer.body);
    }
    const raw = await webSocket("/socket.io/1/websocket/4d4f185e96a7b");
    await raw.refusal();
    trace("websocket", raw.status, raw.body);
  },
);

scenario("protocol 3: payloads both ways", { options: OPTIONS }, async (stage) => {
  const { trace } = stage;
  const { session, socket } = await joined(stage);
  socket.onAny((...args) => trace("in", args));
  socket.on("acked", (...args) => args.pop()("done €"));
  trace("post", await session.post('12:42["x","é€"]13:42["x","😀a"]0:1:6'));
  assert.equal((await session.post("1:2")).body, "ok");
  socket.emit("é€😀", 1);
  const pong = await session.get();
  assert.equal(pong.body, '1:312:42["é€😀",1]');
  trace("pong", pong);
  await session.post('14:421["acked",1]');
  trace("ack", await session.get());
});

scenario("protocol 3: binary payloads both ways", { options: OPTIONS }, async (stage) => {
  const { trace } = stage;
  const { session, socket } = await joined(stage);
  socket.on("b", (...args) => trace("in", args));
  socket.emit("b", Buffer.from([1, 2, 3]), "é");
  const answer = await session.get();
  assert.equal(answer.headers["content-type"], "application/octet-stream");
  trace("out", ...shown(answer));
  const text = Buffer.from('451-["b","é",{"_placeholder":true,"num":0}]');
  const body = Buffer.concat([
    header(0, text.length),
    text,
    header(1, 4),
    Buffer.from([4, 9, 8, 255]),
  ]);
  trace("post", await session.postBinary(body));
  await session.post('40:451-["b",{"_placeholder":true,"num":0}]6:b4AQID');
  socket.emit("plain");
  trace("text again", ...shown(await session.get()));
});

scenario("protocol 3: base64 for those who ask", { options: OPTIONS }, async (stage) => {
  const { session, socket } = await joined(stage, "EIO=3&transport=polling&b64=1");
  socket.emit("b", Buffer.from([1, 2, 3]));
  stage.trace("polling", await session.get());
  for (const eio of [3, 4]) {
    const connection = until(stage.io, "connection");
    const raw = await stage.webSocket(`/socket.io/?EIO=${eio}&transport=websocket&b64=1`);
    await raw.next();
    if (eio === 4) raw.text("40");
    await connection;
    await raw.next();
    stage.io.emit("b", Buffer.from([1, 2, 3]));
    stage.trace("websocket", eio, await raw.next(), await raw.next());
  }
});

for (const [name, body] of Object.entries({
  nothing: "",
  "no length": "4a",
  "no colon": "2",
  "too long a length": "9:4a",
  "revision 4": "4a\x1e4b",
  "no type": "1:7",
  "not a number": "x:4",
  "a pong": "1:3",
  "good, then bad": '9:42["x",1]4:zzzz',
})) {
  scenario(`protocol 3: a payload with a fault: ${name}`, { options: OPTIONS }, async (stage) => {
    const { session, socket } = await joined(stage);
    const closed = until(socket, "disconnect");
    const answer = await session.post(body);
    const [reason] = await closed;
    stage.trace("wire", answer.status, answer.body, reason);
  });
}

scenario("protocol 3: websocket", { options: OPTIONS }, async (stage) => {
  const { io, trace } = stage;
  const connection = until(io, "connection");
  const raw = await stage.webSocket(WEBSOCKET, { autoPong: false });
  trace("open", await raw.next(), await raw.next());
  const [socket] = await connection;
  raw.autoPong = false;
  raw.text("2");
  trace("pong", await raw.next());
  raw.text("2probe");
  trace("pong", await raw.next());
  raw.binary(Buffer.from([2]));
  trace("pong", await raw.next());
  const got = until(socket, "b");
  raw.text('451-["b",{"_placeholder":true,"num":0}]');
  raw.binary(Buffer.from([4, 1, 2]));
  trace("in", await got);
  const again = until(socket, "b");
  raw.text('451-["b",{"_placeholder":true,"num":0}]');
  raw.text("b4AQI=");
  trace("in", await again);
  socket.emit("b", Buffer.from([7, 8]));
  trace("out", await raw.next(), await raw.next());
  const closed = until(socket, "disconnect");
  raw.text("3");
  trace("end", (await closed)[0]);
});

scenario("protocol 3: upgrade", { options: OPTIONS }, async (stage) => {
  const { trace } = stage;
  const { session, socket } = await joined(stage);
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  const poll = session.get();
  assert.equal((await poll).body, "1:6");
  const upgraded = until(socket.conn, "upgrade");
  raw.text("5");
  await upgraded;
  socket.emit("a", Buffer.from([1]));
  trace("wire", await raw.next(), await raw.next(), socket.conn.transport.name);
  const gone = await stage.http("GET", session.url);
  trace("polling", gone.status, gone.body);
});

scenario("protocol 3: a session keeps to its revision", { options: OPTIONS }, async (stage) => {
  const { io, http, webSocket, trace } = stage;
  io.engine.on("connection_error", ({ code, message, context }) =>
    trace("errors", code, message, context),
  );
  const three = await open(stage);
  const four = await open(stage, "EIO=4&transport=polling", { join: false });
  for (const url of [
    three.url.replace("EIO=3", "EIO=4"),
    four.url.replace("EIO=4", "EIO=3"),
    four.url.replace("EIO=4&", ""),
  ]) {
    for (const method of ["GET", "POST"]) {
      const answer = await http(method, url, method === "POST" ? { body: "2" } : {});
      assert.equal(answer.status, 400);
      trace("wire", answer.status, answer.body);
    }
    const raw = await webSocket(url.replace("polling", "websocket"));
    await raw.refusal();
    trace("upgrade", raw.status, raw.body);
  }
  assert.equal((await three.post("1:2")).body, "ok");
});

scenario(
  "protocol 3: namespaces, their queries and their ids",
  { options: OPTIONS },
  async (stage) => {
    const { io, trace } = stage;
    io.of("/a%20b").on("connection", (socket) => {
      const { auth } = socket.handshake;
      assert.equal(socket.id, `/a%20b#${socket.conn.id}`);
      trace("joined", socket.nsp.name, Object.getPrototypeOf(auth) === null, Object.entries(auth));
      socket.on("x", (...args) => trace("in", args));
      socket.on("disconnect", (reason) => trace("left", reason));
    });
    io.of("/no").use((socket, next) => next(new Error("told")));
    io.of("/data").use((socket, next) =>
      next(Object.assign(new Error("told"), { data: { why: 1 } })),
    );
    io.of(/^\/dynamic-\d+$/);
    const raw = await stage.webSocket(WEBSOCKET);
    await raw.next();
    await raw.next();
    const tell = async (packet) => {
      raw.text(packet);
      trace("wire", packet, await raw.next());
    };
    await tell("40/a%20b?k=v&__proto__=1&k=w,");
    raw.text('42/a%20b,["x",1]');
    raw.text('42/a b?other=1,["x",2]');
    await tell("40/no,");
    await tell("40/data,");
    await tell("40/unknown,");
    await tell("40/dynamic-1?q,");
    raw.text("41/a%20b,");
    await eventually(() => io.of("/a%20b").sockets.size === 0, "the socket to leave");
    await tell("40/a%20b");
  },
);

scenario("protocol 3: refused at the main namespace", { options: OPTIONS }, async (stage) => {
  for (const data of [undefined, { why: 1 }]) {
    stage.io.of("/")._fns.length = 0;
    stage.io.use((socket, next) => next(Object.assign(new Error("told"), { data })));
    const session = await open(stage);
    stage.trace("wire", session.joined.body);
  }
});

scenario("protocol 3: a second connect packet closes", { options: OPTIONS }, async (stage) => {
  const { session, socket } = await joined(stage);
  const closed = until(socket, "disconnect");
  await session.post("2:40");
  stage.trace("end", (await closed)[0]);
});

scenario("protocol 3: ends", { options: OPTIONS }, async (stage) => {
  const { trace } = stage;
  const ends = {
    "close packet": ({ session }) => session.post("1:1"),
    "namespace left": ({ session }) => session.post("2:41"),
    kicked: ({ socket }) => socket.disconnect(),
    "kicked out": ({ socket }) => socket.disconnect(true),
    "two polls": ({ session }) => Promise.all([session.get(), session.get()]),
  };
  for (const [name, end] of Object.entries(ends)) {
    const pair = await joined(stage);
    const closed = until(pair.socket, "disconnect");
    await end(pair);
    trace("end", name, (await closed)[0]);
    if (name.startsWith("kicked")) trace("wire", name, (await pair.session.get()).body);
  }
});

scenario(
  "protocol 3: a client that does not ping",
  { options: { ...OPTIONS, pingInterval: 20, pingTimeout: 20 } },
  async (stage) => {
    const gone = until(stage.io, "connection").then(([socket]) => until(socket, "disconnect"));
    await stage.webSocket(WEBSOCKET);
    stage.trace("end", (await gone)[0]);
  },
);

scenario("protocol 3: one broadcast, every kind of client", { options: OPTIONS }, async (stage) => {
  const { io, trace } = stage;
  const raws = {};
  for (const query of ["EIO=3", "EIO=4", "EIO=3&b64=1", "EIO=4&b64=1"]) {
    const raw = await stage.webSocket(`/socket.io/?${query}&transport=websocket`);
    raws[query] = raw;
    await raw.next();
    if (query.startsWith("EIO=4")) raw.text("40");
    assert.match(await raw.next(), /^40/);
  }
  const polls = {};
  for (const query of ["EIO=3", "EIO=3&b64=1"])
    polls[query] = await open(stage, `${query}&transport=polling`);
  const four = await stage.polling();
  await four.join();
  io.emit("text", "é");
  io.emit("bytes", Buffer.from([1, 2, 3]), { deep: Buffer.alloc(200, 5) });
  for (const [query, raw] of Object.entries(raws))
    for (let i = 0; i < 4; i++) trace("websocket", query, await raw.next());
  for (const [query, session] of Object.entries(polls))
    trace("polling", query, ...shown(await session.get()));
  trace("polling", "EIO=4", ...shown(await four.get()));
});

for (const eio of [3, 4]) {
  scenario(`jsonp: protocol ${eio}`, { options: OPTIONS }, async (stage) => {
    const { io, trace } = stage;
    const connection = until(io, "connection");
    const session = await open(stage, `EIO=${eio}&transport=polling&j=1`, { join: eio === 3 });
    assert.match(session.opening.body, /^___eio\[1\]\("/);
    trace("opening", script(session.opening));
    const payload = (...packets) =>
      packets
        .map((packet) => (eio === 3 ? `${packet.length}:${packet}` : packet))
        .join(eio === 3 ? "" : "\x1e");
    const form = { headers: { "content-type": "application/x-www-form-urlencoded" } };
    const post = (text) =>
      session.post(`d=${encodeURIComponent(text.replace(/\\n/g, "\\\\n"))}`, form);
    if (eio === 4) {
      await post("40");
      trace("joined", script(await session.get()));
    } else {
      trace("joined", session.joined);
    }
    const [socket] = await connection;
    socket.on("x", (...args) => trace("in", args));
    trace("post", await post(payload('42["x","a\\nb é€ +&=%"]', '42["x","\\"\u2028"]')));
    trace("post", await session.post("nothing=1", form), await session.post("d=1&d=2", form));
    socket.emit("y", '\u2028\u2029"\\\n</script>\x7f😀');
    trace("get", await session.get());
    const closed = until(socket, "disconnect");
    const bad = await session.post("d=", form);
    trace("end", bad.status, bad.body, (await closed)[0]);
  });
}

scenario("jsonp: the callback is a number", { options: OPTIONS }, async ({ http, trace }) => {
  for (const j of ["", "7", "1]);alert(2)//", "%0a3", "٣"]) {
    trace("wire", j, script(await http("GET", `${POLLING}&j=${encodeURI(j)}`)));
  }
});
