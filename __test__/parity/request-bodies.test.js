"use strict";

/** Bodies of polling requests that are not taken: too long, in too many chunks, too slow. */

const assert = require("node:assert/strict");
const { until } = require("../support/waiting");
const { scenario } = require("./harness");
const { park, pollingPair } = require("./raw-pairs");

/** What ends with a request, whose body `write` sends, beside a GET that waits. */
async function refuse(stage, write, { watched = false } = {}) {
  if (watched) stage.io.engine.use((req, res, next) => next()); // Node.js then reads all requests
  const { session, socket } = await pollingPair(stage);
  const disconnected = until(socket, "disconnect");
  const closed = until(socket.conn, "close");
  const failed = until(socket.conn.transport, "error");
  const parked = await park(session, socket);
  const { request, response } = write(session);
  const { status, headers, body } = await response;
  const [reason, error] = await disconnected;
  assert.equal((await closed)[1], error);
  assert.equal((await failed)[0], error);
  stage.trace("answer", status, headers, body);
  stage.trace("told", reason, error.message, error.type);
  const get = await parked.response;
  stage.trace("the GET", get.status, get.body);
  request.end();
  const later = await session.get();
  stage.trace("later", later.status, later.body);
  return { status, message: error.message };
}

const whole = (length) => (session) => session.startPost("4".repeat(length));

const chunks = (count) => (session) => {
  const handle = session.startPost(null, { headers: { "transfer-encoding": "chunked" } });
  for (let i = 0; i < count; i++) handle.request.write("4");
  return handle;
};

const partly = (session) => {
  const handle = session.startPost(null, { headers: { "content-length": "10" } });
  handle.request.write("42");
  return handle;
};

for (const watched of [false, true]) {
  const by = watched ? " [read by Node.js]" : "";

  scenario(
    `request bodies: too long${by}`,
    { options: { maxHttpBufferSize: 100 } },
    async (stage) => {
      const outcome = await refuse(stage, whole(101), { watched });
      assert.deepEqual(outcome, { status: 413, message: "payload too large" });
    },
  );

  scenario(
    `request bodies: too many chunks${by}`,
    { options: { maxBufferedChunks: 5 } },
    async (stage) => {
      const outcome = await refuse(stage, chunks(6), { watched });
      assert.deepEqual(outcome, { status: 413, message: "too many chunks" });
    },
  );

  scenario(
    `request bodies: too slow${by}`,
    { options: { httpRequestBodyTimeout: 50 } },
    async (stage) => {
      const outcome = await refuse(stage, partly, { watched });
      assert.deepEqual(outcome, { status: 408, message: "http request timeout" });
    },
  );

  scenario(
    `request bodies: as many chunks as allowed${by}`,
    { options: { maxBufferedChunks: 5 } },
    async (stage) => {
      if (watched) stage.io.engine.use((req, res, next) => next());
      const { session, socket } = await pollingPair(stage);
      const event = until(socket, "x");
      const handle = session.startPost(null, { headers: { "transfer-encoding": "chunked" } });
      for (const part of ["4", "2", "[", '"x"', "]"]) handle.request.write(part);
      handle.request.end();
      assert.equal((await handle.response).status, 200);
      await event;
    },
  );
}

scenario("request bodies: the defaults", async (stage) => {
  const { maxBufferedChunks, httpRequestBodyTimeout } = stage.io.engine.opts;
  assert.equal(maxBufferedChunks, 10_000);
  assert.equal(httpRequestBodyTimeout, 30_000);
});
