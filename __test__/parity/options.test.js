"use strict";

/** Options as they come from `process.env` and from configuration that is not set. */

const assert = require("node:assert/strict");
const { until } = require("../support/waiting");
const { scenario } = require("./harness");
const { POLLING, pollingPair, webSocketPair } = require("./raw-pairs");

/** What setTimeout() takes for 1 ms. */
const NO_TIMES = {
  undefined: undefined,
  null: null,
  NaN: NaN,
  Infinity: Infinity,
  negative: -5,
  zero: 0,
  "more than 2^31": 2 ** 33,
  word: "abc",
  empty: "",
  object: {},
};
const TIMES = { text: "30000", fraction: 30_000.5, array: [30_000] };

const TIME_OPTIONS = ["pingInterval", "pingTimeout", "upgradeTimeout", "connectTimeout"];

const encoding = (answer) => answer.headers["content-encoding"];

/** Sends an event of `length` characters and waits for the answer, or for what comes instead. */
async function ask(stage, length) {
  const { raw, socket } = await webSocketPair(stage);
  socket.on("ask", (text, reply) => reply(text.length));
  raw.text(`420["ask","${"x".repeat(length)}"]`);
  for (;;) {
    const answer = await raw.next();
    if (answer !== "2") return answer;
  }
}

for (const name of TIME_OPTIONS)
  for (const [what, value] of Object.entries({ ...NO_TIMES, ...TIMES })) {
    // of this one, 1 ms may be over before the client has joined: see below
    if (name === "connectTimeout" && value && !(what in TIMES)) continue;
    scenario(`options: ${name}, ${what}`, { options: () => ({ [name]: value }) }, async (stage) => {
      stage.trace("client", await ask(stage, 5));
    });
  }

for (const [what, value] of Object.entries(NO_TIMES)) {
  scenario(
    `options: pingInterval, ${what}, is 1 ms`,
    { options: () => ({ pingInterval: value }) },
    async ({ webSocket }) => {
      const raw = await webSocket(undefined, { autoPong: false });
      await raw.next();
      assert.equal(await raw.next(), "2");
    },
  );
  scenario(
    `options: pingTimeout, ${what}, is 1 ms`,
    { options: () => ({ pingInterval: 20, pingTimeout: value }) },
    async (stage) => {
      const closed = until(stage.io.engine, "connection").then(([conn]) => until(conn, "close"));
      await stage.webSocket(undefined, { autoPong: false });
      stage.trace("server", (await closed)[0]);
    },
  );
  if (value)
    scenario(
      `options: connectTimeout, ${what}, is 1 ms`,
      { options: () => ({ connectTimeout: value }) },
      async ({ webSocket, trace }) => {
        const raw = await webSocket();
        await raw.next();
        trace("client", (await raw.rest()).length <= 1);
      },
    );
}

for (const [what, value] of Object.entries({
  undefined: undefined,
  NaN: NaN,
  Infinity: Infinity,
  text: "1000",
  word: "abc",
  fraction: 1000.5,
  "more than 2^31": 2 ** 40,
  object: {},
}))
  scenario(
    `options: maxHttpBufferSize, ${what}`,
    { options: () => ({ maxHttpBufferSize: value }) },
    async (stage) => {
      stage.trace("websocket", await ask(stage, 100));
      const long = await ask(
        stage,
        2_000_000 / (Number(value) > 0 && Number(value) < 1e6 ? 1000 : 1),
      );
      stage.trace("websocket", typeof long === "string" ? long : "closed");
      const { session, socket } = await pollingPair(stage);
      socket.on("ask", (text, reply) => reply(text.length));
      const { status } = await session.post(`420["ask","${"x".repeat(1500)}"]`);
      stage.trace("polling", status);
    },
  );

for (const [what, value] of Object.entries({ zero: 0, null: null, negative: -1, empty: "" }))
  scenario(
    `options: maxHttpBufferSize, ${what}, without polling`,
    { options: () => ({ maxHttpBufferSize: value, transports: ["websocket"] }) },
    async (stage) => stage.trace("websocket", await ask(stage, 2_000_000)),
  );

for (const [what, value] of Object.entries({
  null: null,
  undefined: undefined,
  false: false,
  true: true,
  number: 5,
  "a text as threshold": { threshold: "100" },
  "no threshold": {},
  "null as threshold": { threshold: null },
  "NaN as threshold": { threshold: NaN },
  "Infinity as threshold": { threshold: Infinity },
}))
  scenario(
    `options: httpCompression, ${what}`,
    { options: () => ({ httpCompression: value }) },
    async (stage) => {
      const headers = { "accept-encoding": "gzip" };
      stage.trace("handshake", encoding(await stage.http("GET", POLLING, { headers })));
      const { session, socket } = await pollingPair(stage);
      socket.emit("x", "y".repeat(2000));
      const answer = await session.get({ headers });
      stage.trace("poll", encoding(answer));
    },
  );

for (const [what, options] of Object.entries({
  "transports as a text": { transports: "websocket" },
  "unknown transports": { transports: ["websocket", "pigeon"] },
  "perMessageDeflate as a text": { perMessageDeflate: "yes" },
  "perMessageDeflate, null": { perMessageDeflate: null },
  "a text as the level of perMessageDeflate's window": {
    perMessageDeflate: { serverMaxWindowBits: "12", threshold: "0" },
  },
  "cors, true": { cors: true },
  "cors, a text": { cors: "x" },
  "cookie, true": { cookie: true },
  "cookie, a text": { cookie: "x" },
  "cookie, null": { cookie: null },
  "path, empty": { path: "" },
  "path, null": { path: null },
  "allowEIO3, 1": { allowEIO3: 1 },
  "allowUpgrades, 0": { allowUpgrades: 0 },
  "addTrailingSlash, null": { addTrailingSlash: null },
  "allowRequest, null": { allowRequest: null },
  "initialPacket, number": { initialPacket: 5 },
  "initialPacket, zero": { initialPacket: 0 },
  "initialPacket, bytes": { initialPacket: Uint8Array.of(1, 2) },
  "initialPacket, object": { initialPacket: { a: 1 } },
  "connectionStateRecovery, true": { connectionStateRecovery: true },
  "connectionStateRecovery, null": { connectionStateRecovery: null },
  "connectionStateRecovery, odd members": {
    connectionStateRecovery: { maxDisconnectionDuration: NaN, skipMiddlewares: "no" },
  },
  "maxBufferedChunks, word": { maxBufferedChunks: "abc" },
  "httpRequestBodyTimeout, text": { httpRequestBodyTimeout: "30000" },
}))
  scenario(`options: ${what}`, { options: () => ({ ...options }) }, async (stage) => {
    const raw = await stage.webSocket();
    const handshake = JSON.parse((await raw.next()).slice(1));
    delete handshake.sid;
    stage.trace("websocket", handshake, raw.headers["set-cookie"]?.replace(/=[^;]*/, ""));
    if (options.initialPacket) stage.trace("websocket", await raw.next());
    stage.trace("websocket", (await raw.join()).slice(0, 8));
    const opening = await stage.http("GET", POLLING);
    stage.trace(
      "polling",
      opening.status,
      opening.headers["access-control-allow-origin"],
      opening.headers["set-cookie"]?.map((cookie) => cookie.replace(/=[^;]*/, "")),
    );
  });

scenario("options: transports, changed later", async (stage) => {
  const upgrades = async () => {
    const { status, body } = await stage.http("GET", "/socket.io/?EIO=4&transport=polling");
    stage.trace("client", status, JSON.parse(body.slice(1)).upgrades);
  };
  await upgrades();
  stage.io.engine.opts.transports = ["polling"];
  await upgrades();
  stage.io.engine.opts.transports = ["polling", "websocket"];
  await upgrades();
});

scenario("options: changed later", { options: { pingInterval: 30_000 } }, async (stage) => {
  await ask(stage, 1); // the workers know the server
  const { opts } = stage.io.engine;
  Object.assign(opts, { pingInterval: 20, pingTimeout: "20000", maxHttpBufferSize: 5000 });
  const raw = await stage.webSocket(undefined, { autoPong: false });
  const { pingInterval, maxPayload } = JSON.parse((await raw.next()).slice(1));
  stage.trace("client", pingInterval, maxPayload, await raw.next());
});
