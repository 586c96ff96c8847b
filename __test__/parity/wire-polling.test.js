"use strict";

/** Long-polling as bytes: handshake, payloads, refusals. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { start } = require("../support/raw-http");
const { eventually, gather, turns, until, within } = require("../support/waiting");
const { scenario } = require("./harness");
const { POLLING, park, pollingPair, refusals } = require("./raw-pairs");

scenario("polling: the handshake, exactly", async ({ http, trace }) => {
  const { status, headers, body } = await http("GET", POLLING);
  assert.equal(status, 200);
  assert.match(
    body,
    /^0\{"sid":"[A-Za-z0-9_-]{20}","upgrades":\["websocket"\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000\}$/,
  );
  assert.deepEqual(headers, {
    "content-type": "text/plain; charset=UTF-8",
    "content-length": String(body.length),
    "cache-control": "no-store",
  });
  trace("wire", status, headers, body);
});

scenario(
  "polling: the handshake with other settings",
  { options: { pingInterval: 1, pingTimeout: 2, maxHttpBufferSize: 3, allowUpgrades: false } },
  async ({ http, trace }) => {
    const { body } = await http("GET", POLLING);
    assert.match(
      body,
      /^0\{"sid":".{20}","upgrades":\[\],"pingInterval":1,"pingTimeout":2,"maxPayload":3\}/,
    );
    trace("wire", body.split("\x1e")[0]);
  },
);

scenario(
  "polling: only transport",
  { options: { transports: ["polling"] } },
  async ({ http, webSocket, trace }) => {
    const { body } = await http("GET", POLLING);
    trace("wire", body);
    const raw = await webSocket();
    await raw.refusal();
    trace("websocket", raw.status, raw.body);
  },
);

scenario("polling: extra and repeated parameters, other orders", async ({ http, trace }) => {
  for (const query of [
    "transport=polling&EIO=4",
    "EIO=4&transport=polling&t=abc&b64=1",
    "EIO=4&transport=polling&transport=websocket",
    "EIO=4&transport=websocket&transport=polling",
    "EIO=3&EIO=4&transport=polling",
    "EIO=4&transport=polling&sid=",
    "EIO=4&transport=%70olling",
    "EIO=4&transport=polling#fragment",
    "EIO=04&transport=polling",
    "EIO=4.0&transport=polling",
    "EIO=%34&transport=polling",
  ]) {
    const { status, body } = await http("GET", `/socket.io/?${query}`);
    trace("wire", query, status, body);
  }
});

scenario("polling: a path that only begins like ours", async ({ http, trace }) => {
  for (const path of ["/socket.io/extra", "/socket.io/a/b", "/socket.io//"]) {
    const { status, body } = await http("GET", `${path}?EIO=4&transport=polling`);
    trace("wire", path, status, body);
  }
});

scenario("polling: POST and its answer", async (stage) => {
  const { session } = await pollingPair(stage);
  const { status, headers, body } = await session.post('42["x"]');
  assert.equal(status, 200);
  assert.equal(body, "ok");
  assert.deepEqual(headers, {
    "content-type": "text/html",
    "content-length": "2",
    "cache-control": "no-store",
  });
  stage.trace("wire", status, headers, body);
});

scenario("polling: several packets in one POST", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const calls = gather(socket, "x", 3);
  await session.post('42["x",1]\x1e42["x","é😀"]\x1e42["x",3]');
  stage.trace("server", await calls);
});

scenario("polling: several packets in one answer", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  socket.emit("a", 1);
  socket.emit("b", "é\u2028");
  socket.emit("c", Buffer.from([1, 2, 3]));
  const packets = [];
  for (let i = 0; i < 4; i++) packets.push(await session.next());
  assert.deepEqual(packets, [
    '42["a",1]',
    '42["b","é\u2028"]',
    '451-["c",{"_placeholder":true,"num":0}]',
    "bAQID",
  ]);
  stage.trace("wire", packets);
});

scenario("polling: one answer holds what was emitted while no GET waited", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  await eventually(() => !socket.conn.transport.writable, "no GET");
  for (let n = 0; n < 5; n++) socket.emit("n", n);
  const { headers, body } = await session.get();
  assert.equal(body, [0, 1, 2, 3, 4].map((n) => `42["n",${n}]`).join("\x1e"));
  stage.trace("wire", headers);
});

scenario("polling: base64 binary from the client", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  socket.on("x", (...args) => {
    const reply = args.pop();
    stage.trace("server", args);
    reply();
  });
  for (const encoded of ["AQID", "", "AQ==", "AQ", "_-8=", "AQI D", "!!", "é"]) {
    const post = await session.post(`451-1["x",{"_placeholder":true,"num":0}]\x1eb${encoded}`);
    assert.equal(post.status, 200);
    stage.trace("wire", encoded, await session.next());
  }
});

scenario("polling: UTF-8 split over chunks of the body", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const event = until(socket, "x");
  const body = Buffer.from('42["x","é😀日本"]');
  const post = session.startPost(null, { headers: { "content-length": body.length } });
  for (const byte of body) {
    post.request.write(Buffer.from([byte]));
    await turns();
  }
  post.request.end();
  assert.deepEqual(await event, ["é😀日本"]);
  assert.equal((await post.response).status, 200);
});

scenario("polling: a body with transfer-encoding chunked", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const event = until(socket, "x");
  const post = session.startPost(null, { headers: { "transfer-encoding": "chunked" } });
  post.request.write('42["x",');
  post.request.end("1]");
  assert.deepEqual(await event, [1]);
  assert.equal((await post.response).status, 200);
});

scenario("polling: other content types of a POST", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  for (const type of [
    "text/plain",
    "text/plain;charset=UTF-8",
    "application/json",
    "application/octet-stream; x=1",
  ]) {
    const event = until(socket, "x");
    const { status } = await session.post('42["x"]', { headers: { "content-type": type } });
    await event;
    stage.trace("wire", type, status);
  }
});

scenario("polling: a binary POST is refused and ends", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const gone = until(socket, "disconnect");
  const answer = await session.post(Buffer.from([1, 2, 3]), {
    headers: { "content-type": "application/octet-stream" },
  });
  assert.equal(answer.status, 400);
  stage.trace("wire", answer);
  stage.trace("reason", (await gone)[0]);
});

scenario("polling: two GETs at once", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const gone = until(socket, "disconnect");
  const parked = await park(session, socket);
  const second = await session.get();
  assert.equal(second.status, 400);
  const first = await parked.response;
  assert.equal((await gone)[0], "transport error");
  stage.trace("wire", second, first.status, first.headers, first.body);
});

scenario("polling: two POSTs at once", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const gone = until(socket, "disconnect");
  const arrived = within(once(stage.httpServer, "request"), "the first POST");
  const slow = session.startPost(null, { headers: { "content-length": "50" } });
  slow.request.write('42["x"');
  await arrived;
  const parked = session.startGet();
  await eventually(() => socket.conn.transport.writable, "a parked GET");
  const second = await session.post('42["y"]');
  assert.equal(second.status, 400);
  assert.equal((await gone)[0], "transport error");
  stage.trace("wire", second, (await parked.response).body);
  await assert.rejects(slow.response);
});

scenario(
  "polling: a POST over the limit, announced and not",
  { options: { maxHttpBufferSize: 100 } },
  async (stage) => {
    for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
      const { session, socket } = await pollingPair(stage);
      const {
        status,
        headers: answered,
        body,
      } = await session.post(`4${"x".repeat(100)}`, { headers });
      assert.equal(status, 413);
      if (socket.connected) await until(socket, "disconnect");
      stage.trace("wire", status, answered, body);
    }
  },
);

scenario(
  "polling: a POST of exactly the limit, in bytes",
  { options: { maxHttpBufferSize: 20 } },
  async (stage) => {
    const { session, socket } = await pollingPair(stage);
    const event = until(socket, "x");
    const fits = `42["x","${"é".repeat(5)}"]`;
    assert.equal(Buffer.byteLength(fits), 20);
    assert.equal((await session.post(fits)).status, 200);
    await event;
    const { status } = await session.post(`42["x","${"é".repeat(5)}y"]`);
    assert.equal(status, 413);
  },
);

scenario("polling: after the session is closed its id is unknown", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const closed = until(socket.conn, "close");
  const parked = await park(session, socket);
  socket.disconnect(true);
  stage.trace("last", (await parked.response).body, (await session.get()).body);
  await closed;
  const { status, body } = await session.get();
  assert.equal(status, 400);
  assert.equal(body, '{"code":1,"message":"Session ID unknown"}');
});

scenario("polling: closed while no GET waits, the close comes with the next", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  socket.emit("x", 1);
  await session.next();
  await eventually(() => !socket.conn.transport.writable, "no GET");
  socket.disconnect(true);
  assert.equal(socket.connected, false);
  stage.trace("state", socket.conn.readyState);
  const { status, body } = await session.get();
  stage.trace("wire", status, body);
});

scenario("polling: methods that are not GET or POST", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  for (const method of ["PUT", "DELETE", "OPTIONS", "PATCH"]) {
    const { status, body, headers } = await stage.http(method, session.url);
    stage.trace("wire", method, status, body, headers);
  }
  assert.equal(socket.connected, true);
});

scenario("polling: compression of large answers", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const zlib = require("node:zlib");
  for (const [accept, open] of [
    ["gzip", zlib.gunzipSync],
    ["deflate", zlib.inflateSync],
    ["gzip, deflate", zlib.gunzipSync],
    ["br", (raw) => raw],
    ["gzip;q=0", (raw) => raw],
  ]) {
    socket.emit("x", "y".repeat(2_000));
    const { headers, raw } = await session.get({ headers: { "accept-encoding": accept } });
    assert.equal(open(raw).toString(), `42["x","${"y".repeat(2_000)}"]`);
    stage.trace(
      "wire",
      accept,
      headers["content-encoding"],
      headers["content-length"] !== undefined,
    );
  }
  socket.emit("x", "short");
  const { headers } = await session.get({ headers: { "accept-encoding": "gzip" } });
  stage.trace("wire", "short", headers);
  socket.compress(false).emit("x", "y".repeat(2_000));
  const plain = await session.get({ headers: { "accept-encoding": "gzip" } });
  stage.trace("wire", "compress(false)", plain.headers);
});

scenario("polling: httpCompression off", { options: { httpCompression: false } }, async (stage) => {
  const { session, socket } = await pollingPair(stage);
  socket.emit("x", "y".repeat(2_000));
  const { headers } = await session.get({ headers: { "accept-encoding": "gzip" } });
  stage.trace("wire", headers);
});

scenario("polling: X-XSS-Protection for the browsers that needed it", async (stage) => {
  const agents = [
    "Mozilla/5.0 (compatible;MSIE 9.0)",
    "Mozilla/5.0 (Windows NT; Trident/7.0; rv:11.0)",
    "curl/8",
  ];
  for (const agent of agents) {
    const { headers } = await stage.http("GET", POLLING, { headers: { "user-agent": agent } });
    stage.trace("wire", headers["x-xss-protection"]);
  }
});

scenario("polling: keep-alive, several requests over one connection", async (stage) => {
  const http = require("node:http");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  stage.defer(() => agent.destroy());
  const session = await stage.polling();
  for (let i = 0; i < 5; i++) {
    const post = start(stage.port, "POST", session.url, {
      agent,
      body: i === 0 ? "40" : '42["x"]',
    });
    assert.equal((await post.response).status, 200);
  }
  const { response } = start(stage.port, "GET", session.url, { agent });
  assert.ok((await response).body.startsWith("40{"));
});

const REFUSED = [
  ["GET", "EIO=4&transport=unknown", 0],
  ["GET", "EIO=4", 0],
  ["GET", "", 0],
  ["GET", "EIO=4&transport=__proto__", 0],
  ["GET", "EIO=4&transport=constructor", 0],
  ["GET", "EIO=4&transport=toString", 0],
  ["GET", "EIO=4&transport=webtransport", 0],
  ["GET", "EIO=4&transport=Polling", 0],
  ["GET", "EIO=4&transport=", 0],
  ["GET", "EIO=4&transport=polling&sid=unknown", 1],
  ["GET", "EIO=4&transport=polling&sid=__proto__", 1],
  ["GET", "EIO=4&transport=polling&sid=constructor", 1],
  ["POST", "EIO=4&transport=polling&sid=toString", 1],
  ["GET", "EIO=4&transport=websocket&sid=unknown", 1],
  ["POST", "EIO=4&transport=polling", 2],
  ["PUT", "EIO=4&transport=polling", 2],
  ["OPTIONS", "EIO=4&transport=polling", 2],
  ["HEAD", "EIO=4&transport=polling", 2],
  ["GET", "EIO=4&transport=websocket", 3],
  ["GET", "EIO=3&transport=polling", 5],
  ["GET", "transport=polling", 5],
  ["GET", "EIO=5&transport=polling", 5],
  ["GET", "EIO=&transport=polling", 5],
];

scenario("refused: status, body and connection_error of each case", async ({ io, http, trace }) => {
  const seen = refusals(io);
  for (const [method, query, code] of REFUSED) {
    const { status, headers, body } = await http(method, `/socket.io/?${query}`);
    assert.equal(status, 400, query);
    if (method !== "HEAD") assert.equal(JSON.parse(body).code, code, query);
    assert.equal(seen.at(-1).code, code, query);
    trace("wire", method, query, status, headers, body);
  }
  trace("connection_error", seen);
  assert.equal(io.engine.clientsCount, 0);
});

scenario("refused: an invalid Origin header", async ({ io, http, trace }) => {
  const seen = refusals(io);
  const { status, body } = await http("GET", POLLING, {
    headers: { origin: "http://\u00e9vil\u0080" },
  });
  trace("wire", status, body);
  trace("connection_error", seen);
});

scenario("refused: another transport or protocol for a session", async (stage) => {
  const seen = refusals(stage.io);
  const { session, socket } = await pollingPair(stage);
  const { sid } = session;
  for (const query of [
    `EIO=4&transport=websocket&sid=${sid}`,
    `EIO=3&transport=polling&sid=${sid}`,
    `transport=polling&sid=${sid}`,
  ]) {
    for (const method of ["GET", "POST"]) {
      const { status, body } = await stage.http(method, `/socket.io/?${query}`);
      assert.equal(status, 400);
      stage.trace("wire", status, body);
    }
  }
  stage.trace("connection_error", seen);
  assert.deepEqual(
    [...new Set(seen.map(({ context }) => context.name))],
    ["TRANSPORT_MISMATCH", "PROTOCOL_MISMATCH"],
  );
  assert.equal(socket.connected, true);
});

scenario("refused: polling requests after the upgrade", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const raw = await stage.webSocket(`/socket.io/?EIO=4&transport=websocket&sid=${session.sid}`);
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  const upgraded = until(socket.conn, "upgrade");
  raw.text("5");
  await upgraded;
  const get = await session.get();
  const post = await session.post('42["x"]');
  stage.trace("wire", get.status, get.body, post.status, post.body);
  assert.equal(socket.connected, true);
});

scenario(
  "initialPacket comes with the handshake",
  { options: { initialPacket: "hello" } },
  async ({ http, trace }) => {
    const { body } = await http("GET", POLLING);
    const rest = body.split("\x1e").slice(1);
    trace("wire", rest);
  },
);

scenario("ids: from 20 characters, all different", async ({ http }) => {
  const ids = new Set();
  for (let i = 0; i < 50; i++) ids.add(JSON.parse((await http("GET", POLLING)).body.slice(1)).sid);
  assert.equal(ids.size, 50);
  for (const id of ids) assert.match(id, /^[\w-]{20}$/);
});

scenario("polling: a long POST of tiny packets is read in linear time", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const calls = gather(socket, "x", 50_000);
  const post = await session.post(Array.from({ length: 50_000 }, () => '42["x"]').join("\x1e"));
  assert.equal(post.status, 200);
  assert.equal((await calls).length, 50_000);
});

for (const accept of ["identity", "gzip"]) {
  scenario(
    `polling: the answer to an aborted request reaches nobody else (${accept})`,
    async (stage) => {
      for (let round = 0; round < 5; round++) {
        const { session, socket } = await pollingPair(stage);
        const parked = session.startGet({ headers: { "accept-encoding": accept } });
        await eventually(() => socket.conn.transport.writable, "a parked GET");
        socket.emit("secret", "x".repeat(2_000_000));
        parked.abort();
        await turns(round);
        const { status, body } = await stage.http("GET", POLLING);
        assert.equal(status, 200);
        assert.equal(body.slice(0, 8), '0{"sid":', "the handshake of a stranger");
        const other = await pollingPair(stage);
        const echo = until(other.socket, "x");
        await other.session.post('42["x"]');
        await echo;
      }
    },
  );
}
