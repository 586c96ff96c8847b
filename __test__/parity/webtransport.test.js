"use strict";

/** WebTransport, over a session that lives in memory. */

const assert = require("node:assert/strict");
const { TransformStream, ReadableStream } = require("node:stream/web");
const { scenario } = require("./harness");
const { eventually, gather, until, within } = require("../support/waiting");

const settings = (more = {}) => ({
  options: { transports: ["polling", "websocket", "webtransport"], ...more },
});

/** A packet as it is framed on the stream. */
function frame(packet) {
  const data = Buffer.from(packet);
  const flag = typeof packet === "string" ? 0 : 0x80;
  if (data.length < 126) return Buffer.concat([Buffer.from([flag | data.length]), data]);
  const head = Buffer.alloc(data.length < 65536 ? 3 : 9);
  head[0] = flag | (data.length < 65536 ? 126 : 127);
  if (data.length < 65536) head.writeUInt16BE(data.length, 1);
  else head.writeBigUInt64BE(BigInt(data.length), 1);
  return Buffer.concat([head, data]);
}

/** Both ends of a session: `server` is what a WebTransport library hands to the engine. */
class Session {
  constructor({ stream = true } = {}) {
    const up = new TransformStream();
    const down = new TransformStream();
    this.writer = up.writable.getWriter();
    this.writer.closed.catch(() => {});
    this.reader = down.readable.getReader();
    this.pending = Buffer.alloc(0);
    this.ended = false;
    this.read();
    this.closed = new Promise((resolve) => {
      this.close = resolve;
    });
    this.server = {
      incomingBidirectionalStreams: new ReadableStream({
        start: (controller) => {
          if (stream) controller.enqueue({ readable: up.readable, writable: down.writable });
          if (stream === null) controller.close();
        },
      }),
      closed: this.closed,
      close: () => this.close("closed by the server"),
    };
  }

  send(...packets) {
    const bytes = Buffer.concat(packets.map(frame));
    this.writer.write(bytes).catch(() => {});
  }

  /** Reads whatever comes, so that the server is never kept waiting. */
  async read() {
    try {
      for (let chunk = await this.reader.read(); !chunk.done; chunk = await this.reader.read())
        this.pending = Buffer.concat([this.pending, Buffer.from(chunk.value)]);
    } catch {
      // the server has aborted the stream
    }
    this.ended = true;
  }

  /** The next packet from the server. */
  async next() {
    for (;;) {
      const { pending } = this;
      if (pending.length > 0) {
        const short = pending[0] & 0x7f;
        const head = short < 126 ? 1 : short === 126 ? 3 : 9;
        const length =
          short < 126
            ? short
            : short === 126
              ? pending.readUInt16BE(1)
              : Number(pending.readBigUInt64BE(1));
        if (pending.length >= head + length) {
          this.pending = pending.subarray(head + length);
          const payload = pending.subarray(head, head + length);
          return pending[0] & 0x80 ? payload : payload.toString();
        }
      }
      if (this.ended) return undefined;
      const { length } = pending;
      await eventually(() => this.ended || this.pending.length > length, "bytes of the server");
    }
  }
}

scenario("webtransport: connect, events, acks and binary", settings(), async ({ io, trace }) => {
  io.on("connection", (socket) => {
    const { conn } = socket;
    trace(
      "server",
      conn.transport.name,
      conn.protocol,
      socket.handshake.secure,
      socket.handshake.headers,
      socket.handshake.query,
    );
    assert.equal(io.engine.clients[conn.id], conn);
    socket.on("echo", (...args) => socket.emit("echo", ...args));
    socket.on("ack", (text, reply) => reply(`${text}!`));
    socket.on("disconnect", (reason) => trace("server", reason, io.engine.clientsCount));
  });
  const session = new Session();
  io.engine.onWebTransportSession(session.server);
  session.send("0");
  const open = await session.next();
  trace("wire", open);
  session.send("40");
  trace("wire", await session.next());
  session.send('421["ack","é"]', '42["echo",1]');
  trace("wire", await session.next(), await session.next());
  session.send('451-["echo",{"_placeholder":true,"num":0}]', Buffer.alloc(70_000, 7));
  trace("wire", await session.next(), await session.next());
  session.send(`42["echo","${"x".repeat(200)}"]`);
  trace("wire", await session.next());
  io.emit("all", "hello");
  trace("wire", await session.next());
  const gone = until(io.sockets.sockets.values().next().value, "disconnect");
  session.close("by the client");
  await gone;
});

scenario("webtransport: the server closes", settings(), async ({ io, trace }) => {
  const connection = until(io, "connection");
  const session = new Session();
  io.engine.onWebTransportSession(session.server);
  session.send("0", "40");
  const [socket] = await connection;
  const gone = until(socket, "disconnect");
  socket.disconnect(true);
  trace("server", await gone, await within(session.closed, "the end"));
});

scenario(
  "webtransport: heartbeat",
  settings({ pingInterval: 20, pingTimeout: 1_000 }),
  async ({ io, trace }) => {
    const connection = until(io, "connection");
    const session = new Session();
    io.engine.onWebTransportSession(session.server);
    session.send("0", "40");
    const [socket] = await connection;
    const gone = until(socket, "disconnect");
    // on a busy machine the first ping comes before the answer to CONNECT
    const ping = async () => {
      let packet = await session.next();
      while (packet !== "2") packet = await session.next();
      return packet;
    };
    trace("wire", await ping());
    session.send("3");
    trace("wire", await ping());
    const [reason] = await gone;
    trace("server", reason);
  },
);

scenario("webtransport: bytes one by one", settings(), async ({ io, trace }) => {
  io.on("connection", (socket) => socket.on("echo", (data) => socket.emit("echo", data)));
  const session = new Session();
  io.engine.onWebTransportSession(session.server);
  for (const packet of ["0", "40", `42["echo","${"é".repeat(80)}"]`]) {
    for (const byte of frame(packet)) session.writer.write(Buffer.from([byte])).catch(() => {});
    trace("wire", await session.next());
  }
});

scenario("webtransport: upgrade from polling", settings(), async ({ io, polling, trace }) => {
  const connection = until(io.engine, "connection");
  const session = await polling();
  trace("wire", session.handshake.upgrades);
  const [conn] = await connection;
  conn.on("upgrading", (transport) => trace("server", "upgrading", transport.name));
  const upgraded = until(conn, "upgrade");
  await session.join();
  const probe = new Session();
  io.engine.onWebTransportSession(probe.server);
  probe.send(`0{"sid":"${session.sid}"}`, "2probe");
  trace("wire", await probe.next());
  probe.send("5");
  const [transport] = await upgraded;
  trace("server", "upgrade", transport.name, conn.transport.name, conn.upgraded);
  io.emit("hello");
  trace("wire", await probe.next());
  const answer = await session.get();
  trace("wire", answer.status, answer.body);
});

for (const [name, packet] of Object.entries({
  "an unknown session": '0{"sid":"abcdefghijklmnopqrst"}',
  "a session named like a property of all objects": '0{"sid":"__proto__"}',
  "a session named like a method": '0{"sid":"constructor"}',
  "no id": '0{"sid":1}',
  "no JSON": "0{",
  "another packet": "40",
  binary: Buffer.from("0"),
})) {
  scenario(`webtransport: refused, ${name}`, settings(), async ({ io, trace }) => {
    const session = new Session();
    const handled = io.engine.onWebTransportSession(session.server);
    session.send(packet);
    trace("server", await within(session.closed, "the end"), io.engine.clientsCount);
    await handled;
  });
}

scenario(
  "webtransport: an empty and a long packet",
  settings({ maxHttpBufferSize: 100 }),
  async ({ io, trace }) => {
    for (const bytes of [Buffer.from([0]), frame("4".repeat(101))]) {
      const connection = until(io.engine, "connection");
      const session = new Session();
      io.engine.onWebTransportSession(session.server);
      session.send("0");
      const [conn] = await connection;
      const closed = until(conn, "close");
      session.writer.write(bytes).catch(() => {});
      const [reason] = await closed;
      trace("server", reason, await within(session.closed, "the end"));
    }
  },
);

scenario(
  "webtransport: no stream in time, none at all",
  settings({ upgradeTimeout: 20 }),
  async ({ io, trace }) => {
    const late = new Session({ stream: false });
    io.engine.onWebTransportSession(late.server).catch(() => {});
    trace("server", await within(late.closed, "the end"));
    const silent = new Session();
    io.engine.onWebTransportSession(silent.server).catch(() => {});
    trace("server", await within(silent.closed, "the end"));
    await io.engine.onWebTransportSession(new Session({ stream: null }).server);
    trace("server", io.engine.clientsCount);
  },
);

scenario("webtransport: closed where there are middlewares", settings(), async ({ io, trace }) => {
  io.engine.use((req, res, next) => next());
  const session = new Session();
  await io.engine.onWebTransportSession(session.server);
  trace("server", await within(session.closed, "the end"));
});

scenario(
  "webtransport: rooms reach it beside a polling client",
  settings(),
  async ({ io, polling, trace }) => {
    const connections = gather(io, "connection", 2);
    const other = await polling();
    await other.join();
    const session = new Session();
    io.engine.onWebTransportSession(session.server);
    session.send("0", "40");
    for (const [socket] of await connections) socket.join("room");
    await session.next();
    await session.next();
    io.to("room").emit("hello", Buffer.from("abc"));
    trace("wire", await session.next(), await session.next());
    trace("wire", await other.next(), await other.next());
  },
);
