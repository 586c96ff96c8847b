"use strict";

/** What the server answers to a browser: the client bundle, CORS. */

const assert = require("node:assert/strict");
const http = require("node:http");
const net = require("node:net");
const zlib = require("node:zlib");
const { until, within } = require("../support/waiting");
const { scenario } = require("./harness");

const FILES = [
  "socket.io.js",
  "socket.io.js.map",
  "socket.io.min.js",
  "socket.io.min.js.map",
  "socket.io.esm.min.js",
  "socket.io.esm.min.js.map",
  "socket.io.msgpack.min.js",
  "socket.io.msgpack.min.js.map",
];
const OPEN = "/socket.io/?EIO=4&transport=polling";

scenario("client files: each, plain", async ({ http, trace }) => {
  for (const file of FILES) {
    const { status, headers, raw } = await http("GET", `/socket.io/${file}`);
    assert.equal(status, 200, file);
    const type = file.endsWith(".map") ? "application/json" : "application/javascript";
    assert.equal(headers["content-type"], `${type}; charset=utf-8`);
    assert.equal(headers["cache-control"], "public, max-age=0");
    assert.equal(headers.etag, '"4.8.4"');
    trace("wire", file, status, headers, raw.length);
  }
});

scenario("client files: compressed", async ({ http, trace }) => {
  const plain = await http("GET", "/socket.io/socket.io.js");
  const open = { br: zlib.brotliDecompressSync, gzip: zlib.gunzipSync, deflate: zlib.inflateSync };
  for (const accept of [
    "br",
    "gzip",
    "deflate",
    "gzip, deflate, br",
    "identity",
    "br;q=0, gzip;q=0.5",
    "*",
    "",
  ]) {
    const { headers, raw } = await http("GET", "/socket.io/socket.io.js", {
      headers: { "accept-encoding": accept },
    });
    const opened = open[headers["content-encoding"]]?.(raw) ?? raw;
    assert.ok(opened.equals(plain.raw), accept);
    trace("wire", accept, headers);
  }
});

scenario("client files: etag", async ({ http, trace }) => {
  for (const etag of ['"4.8.4"', 'W/"4.8.4"', '"4.8.3"', "*", '"x", "4.8.4"']) {
    const { status, headers, body } = await http("GET", "/socket.io/socket.io.js", {
      headers: { "if-none-match": etag },
    });
    trace("wire", etag, status, headers, body.length);
  }
});

scenario("client files: queries, methods and names that are none", async ({ http, trace }) => {
  for (const path of [
    "/socket.io/socket.io.js?v=1",
    "/socket.io/socket.io.dist.js",
    "/socket.io/package.json",
    "/socket.io/../socket.io/socket.io.js",
    "/socket.io/%73ocket.io.js",
    "/socket.io/__proto__",
    "/socket.io//socket.io.js",
    "/socket.iosocket.io.js",
  ]) {
    const { status, headers, raw } = await http("GET", path);
    trace("wire", path, status, headers, raw.length);
  }
  for (const method of ["HEAD", "POST"]) {
    const { status, headers } = await http(method, "/socket.io/socket.io.js");
    trace("wire", method, status, headers);
  }
});

scenario(
  "client files: not served",
  { options: { serveClient: false } },
  async ({ http, trace }) => {
    const { status, headers, body } = await http("GET", "/socket.io/socket.io.js");
    assert.equal(status, 400);
    trace("wire", status, headers, body);
  },
);

scenario(
  "client files: under another path",
  { options: { path: "/other" } },
  async ({ http, trace }) => {
    const { status } = await http("GET", "/other/socket.io.js");
    assert.equal(status, 200);
    trace("wire", (await http("GET", "/socket.io/socket.io.js")).status);
  },
);

scenario("cors: none unless asked for", async ({ http, polling, trace }) => {
  const headers = { origin: "https://evil.example" };
  const session = await polling({ headers });
  const answers = [
    session.opening,
    await session.post("40", { headers }),
    await session.get({ headers }),
    await http("GET", "/socket.io/?EIO=4&transport=unknown", { headers }),
    await http("OPTIONS", OPEN, {
      headers: { ...headers, "access-control-request-method": "POST" },
    }),
    await http("GET", "/socket.io/socket.io.js", { headers }),
  ];
  for (const answer of answers) {
    for (const name of Object.keys(answer.headers))
      assert.ok(!name.startsWith("access-control"), name);
    trace("wire", answer.status, Object.keys(answer.headers));
  }
});

for (const [name, cors] of Object.entries({
  "one origin": { origin: "https://app.example" },
  "a list with credentials": {
    origin: ["https://app.example", "https://b.example"],
    credentials: true,
  },
  "a pattern": {
    origin: /\.example$/,
    allowedHeaders: ["x-a"],
    exposedHeaders: ["x-b"],
    maxAge: 60,
    methods: ["GET", "POST"],
  },
  any: { origin: "*" },
  reflected: { origin: true },
  off: { origin: false },
})) {
  scenario(`cors: ${name}`, { options: { cors } }, async ({ http, polling, webSocket, trace }) => {
    for (const origin of ["https://app.example", "https://other.invalid"]) {
      const headers = { origin };
      const session = await polling({ headers });
      trace("opening", session.opening.status, session.opening.headers);
      const post = await session.post("40", { headers });
      trace("post", post.status, post.headers);
      const preflight = await http("OPTIONS", OPEN, {
        headers: {
          ...headers,
          "access-control-request-method": "POST",
          "access-control-request-headers": "x-a, content-type",
        },
      });
      trace("preflight", preflight.status, preflight.headers, preflight.body);
      const file = await http("GET", "/socket.io/socket.io.min.js", { headers });
      trace("file", file.status, file.headers);
      const refused = await http("GET", "/socket.io/?EIO=4&transport=unknown", { headers });
      trace("refused", refused.status, refused.headers, refused.body);
      const raw = await webSocket(undefined, { headers });
      trace("websocket", raw.status, raw.headers["access-control-allow-origin"]);
    }
  });
}

scenario(
  "cors: a function that decides",
  {
    options: {
      cors: { origin: (origin, done) => done(null, origin === "https://app.example") },
    },
  },
  async ({ polling, trace }) => {
    for (const origin of ["https://app.example", "https://other.invalid"]) {
      const { opening } = await polling({ headers: { origin } });
      trace("opening", opening.headers);
    }
  },
);

scenario("timeouts: whoever hears of one decides, be it once", { server: false }, async (stage) => {
  const { lib, trace } = stage;
  const hear = {
    response: (req, res) => res.once("timeout", () => res.end("by the response")),
    server: (req, res) => httpServer.once("timeout", () => res.end("by the server")),
    nobody() {},
  };
  const httpServer = http.createServer((req, res) => {
    hear[req.url.slice(1)](req, res);
    req.socket.setTimeout(1);
  });
  const io = new lib.Server(httpServer);
  stage.defer(() => io.close());
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  for (const by of Object.keys(hear)) {
    const socket = net.connect(httpServer.address().port, "127.0.0.1");
    socket.write(`GET /${by} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk) => (text += chunk));
    await within(until(socket, "close"), "the end");
    trace(by, text.split("\r\n\r\n")[1]);
    assert.equal(text !== "", by !== "nobody");
    trace("listeners", httpServer.listenerCount("timeout"));
  }
});
