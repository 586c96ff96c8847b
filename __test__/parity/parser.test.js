"use strict";

/** The `parser` option: packets in a format of the program's choice. */

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const msgpack = require("socket.io-msgpack-parser");
const { gather, until } = require("../support/waiting");
const { ALL, scenario } = require("./harness");

/** Every packet is one JSON object. Notes what it is asked to do. */
function jsonParser() {
  const calls = [];
  class Encoder {
    encode(packet) {
      calls.push(`encode ${JSON.stringify(packet)}`);
      return [JSON.stringify(packet)];
    }
  }
  class Decoder extends EventEmitter {
    add(chunk) {
      const packet = JSON.parse(chunk);
      if (typeof packet.type !== "number") throw new Error("not a packet");
      this.emit("decoded", packet);
    }

    destroy() {
      calls.push(`destroy, ${this.listenerCount("decoded")} listeners`);
    }
  }
  return { calls, Encoder, Decoder };
}

/** A packet is two texts and, before them, a buffer. */
class PartsEncoder {
  encode(packet) {
    return [Buffer.from([1, 2, 255]), "part of", JSON.stringify(packet)];
  }
}

class PartsDecoder extends EventEmitter {
  parts = [];

  add(part) {
    this.parts.push(part);
    if (this.parts.length < 3) return;
    const [bytes, text, json] = this.parts.splice(0);
    this.emit("decoded", JSON.parse(json), Buffer.from(bytes).toString("hex"), text);
  }

  destroy() {
    this.parts = [];
  }
}

scenario(
  "parser: all of the API speaks it",
  { modes: ALL, options: { parser: msgpack } },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair({ parser: msgpack });
    const other = await pair("/other", { parser: msgpack, auth: { token: "t" } });
    trace("auth", other.socket.handshake.auth);
    const bytes = Buffer.from([0, 1, 254]);
    socket.on("up", (...args) => {
      const reply = args.pop();
      trace("server", "up", ...args);
      reply({ ok: bytes });
    });
    trace("client", await client.emitWithAck("up", 1, "ü", { bytes }, null));
    client.on("down", (...args) => trace("client", "down", ...args));
    client.on("ask", (question, reply) => reply(question + 1));
    socket.emit("down", "one", bytes);
    socket.join("room");
    io.to("room").emit("down", "room", { deep: [bytes] });
    io.emit("down", "all");
    io.compress(false).emit("down", "flat");
    trace("server", await socket.emitWithAck("ask", 1));
    trace("server", await io.timeout(5_000).emitWithAck("ask", 2));
    const gone = until(socket, "disconnect");
    const otherGone = until(other.client, "disconnect");
    client.disconnect();
    trace("server", (await gone)[0]);
    other.socket.disconnect();
    trace("client", (await otherGone)[0]);
  },
);

scenario(
  "parser: the bytes of msgpack",
  { options: { parser: msgpack } },
  async ({ io, webSocket, trace }) => {
    const connection = until(io, "connection");
    const raw = await webSocket();
    await raw.next();
    raw.binary(new msgpack.Encoder().encode({ type: 0, nsp: "/" })[0]);
    const [socket] = await connection;
    const answer = await raw.next();
    const text = Buffer.from(answer.data ?? answer).toString("latin1");
    trace("connect", text.replaceAll(socket.id, "<id>"));
    socket.emit("x", 1);
    trace("event", await raw.next());
    const gone = until(socket, "disconnect");
    raw.text("2no msgpack");
    raw.text("4no msgpack");
    trace("end", (await gone)[0]);
  },
);

scenario("parser: what the encoder and decoder are asked", async ({ lib, defer, pair, trace }) => {
  const parser = jsonParser();
  const http = require("node:http").createServer();
  const io = new lib.Server(http, { parser });
  defer(() => io.close());
  http.listen(0, "127.0.0.1");
  await until(http, "listening");
  const url = `http://127.0.0.1:${http.address().port}`;
  assert.ok(io.encoder instanceof parser.Encoder);
  const clientParser = jsonParser();
  const options = { io, url, parser: clientParser, transports: ["websocket"] };
  const { client, socket } = await pair("/", options);
  assert.ok(socket.client.decoder instanceof parser.Decoder);
  const echoed = until(client, "echo");
  socket.on("ask", (value, reply) => reply(value));
  socket.emit("echo", 1, undefined);
  await echoed;
  await client.emitWithAck("ask", [1]);
  io.emit("echo", "all");
  await until(client, "echo");
  const gone = until(socket, "disconnect");
  const failure = until(socket, "error");
  client.io.engine.write('{"type":"none"}');
  trace("error", (await failure)[0]);
  trace("end", (await gone)[0]);
  trace(
    "calls",
    parser.calls.map((call) => call.replaceAll(socket.id, "<id>")),
  );
});

scenario(
  "parser: packets of several messages, in any order of kinds",
  { modes: ["websocket"], options: { parser: { Encoder: PartsEncoder, Decoder: PartsDecoder } } },
  async ({ io, pair, trace }) => {
    const parser = { Encoder: PartsEncoder, Decoder: PartsDecoder };
    const { client, socket } = await pair({ parser });
    const heard = gather(client, "x", 3);
    socket.emit("x", 1);
    io.emit("x", 2);
    socket.emit("x", 3);
    trace("client", await heard);
  },
);

scenario(
  "parser: long texts of all alphabets, among short ones",
  { modes: ["websocket", "polling"], options: { parser: jsonParser() } },
  async ({ pair }) => {
    const { client, socket } = await pair({ parser: jsonParser() });
    const texts = ["a", "é", "€", '"\\\u0001\u2028', "😀"].flatMap((unit) =>
      [1, 1_100, 20_000].map((length) => unit.repeat(length)),
    );
    const heard = gather(socket, "x", texts.length);
    for (const text of texts) client.emit("x", text);
    assert.deepEqual(
      (await heard).map(([text]) => text),
      texts,
    );
  },
);
