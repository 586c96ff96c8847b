"use strict";

/** Compressed answers of the polling transport: its settings, and clients that go away. */

const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const { createServer } = require("node:http");
const zlib = require("node:zlib");
const { ours } = require("../support/implementations");
const { until, turns } = require("../support/waiting");
const { test } = require("node:test");
const { scenario } = require("./harness");

async function joined({ io, polling }) {
  const connection = until(io, "connection");
  const session = await polling();
  await session.join();
  const [socket] = await connection;
  return { session, socket };
}

for (const settings of [true, {}, { threshold: 0 }, { threshold: 100, level: 1, chunkSize: 64 }]) {
  const name = `http compression: ${JSON.stringify(settings)}`;
  scenario(name, { options: { httpCompression: settings } }, async (stage) => {
    const { session, socket } = await joined(stage);
    for (const size of [1, 89, 90, 3_000]) {
      socket.emit("x", "y".repeat(size));
      const { headers, raw } = await session.get({ headers: { "accept-encoding": "gzip" } });
      const body = headers["content-encoding"] ? zlib.gunzipSync(raw) : raw;
      assert.equal(body.toString(), `42["x","${"y".repeat(size)}"]`);
      stage.trace("wire", size, headers);
    }
    socket.compress(false).emit("x", "y".repeat(3_000));
    socket.emit("x");
    const { headers } = await session.get({ headers: { "accept-encoding": "gzip" } });
    stage.trace("wire", "one of two may be compressed", headers);
    const { headers: ok } = await session.post("42[1]", { headers: { "accept-encoding": "gzip" } });
    stage.trace("wire", "the answer to a POST", ok);
  });
}

scenario(
  "http compression: binary payloads of protocol 3",
  { options: { allowEIO3: true } },
  async (stage) => {
    const connection = until(stage.io, "connection");
    const path = "/socket.io/?EIO=3&transport=polling";
    const headers = { "accept-encoding": "gzip" };
    const { body } = await stage.http("GET", path);
    const url = `${path}&sid=${/"sid":"([\w-]{20})"/.exec(body)[1]}`;
    const [socket] = await connection;
    await stage.http("GET", url);
    for (const size of [1, 1_100]) {
      socket.emit("b", Buffer.alloc(size, 7));
      const { headers: got, raw } = await stage.http("GET", url, { headers });
      assert.equal(got["content-encoding"], size > 1_024 ? "gzip" : undefined);
      const payload = got["content-encoding"] ? zlib.gunzipSync(raw) : raw;
      stage.trace("wire", got, payload.toString("latin1"));
    }
  },
);

scenario("http compression: a client that leaves in the middle of an answer", async (stage) => {
  const { session, socket } = await joined(stage);
  let answer;
  stage.io.engine.use((_req, res, next) => {
    answer = res;
    next();
  });
  for (let round = 0; round < 3; round++) {
    const parked = session.startGet({ headers: { "accept-encoding": "gzip" } });
    socket.emit("x", randomBytes(4_000_000).toString("base64"));
    const [response] = await once(parked.request, "response");
    assert.equal(response.headers["content-encoding"], "gzip");
    const closed = until(answer, "close");
    response.on("error", () => {}); // it is cut off
    parked.abort();
    await closed;
    await turns(2);
  }
  // the session has not noticed: what was under way is lost, what follows is not
  socket.emit("x", "still here");
  const { status, body } = await session.get({ headers: { "accept-encoding": "gzip" } });
  stage.trace("wire", status, body, socket.connected);
});

test("http compression: settings that zlib refuses are told at once", () => {
  const { Server } = ours.load();
  const make = () => new Server(createServer(), { httpCompression: { level: 42 } });
  assert.throws(make, { code: "ERR_OUT_OF_RANGE" });
});
