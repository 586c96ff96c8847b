// The options, and the ways to make a server.
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import { Adapter } from "socket.io-adapter";
import { Server, type ServerOptions } from "socket.io";
import { expectType } from "./expect.js";

new Server();
new Server(3000);
new Server({ path: "/x" });
new Server(3000, { serveClient: false });
new Server(createServer());
new Server(createTlsServer(), { transports: ["websocket"] });
new Server(createSecureServer({ allowHTTP1: true }), {});
new Server(undefined, { connectTimeout: 1000 });

const options: Partial<ServerOptions> = {
  path: "/x",
  addTrailingSlash: false,
  destroyUpgrade: true,
  destroyUpgradeTimeout: 1,
  serveClient: true,
  connectTimeout: 1,
  cleanupEmptyChildNamespaces: true,
  connectionStateRecovery: { maxDisconnectionDuration: 1, skipMiddlewares: false },
  pingTimeout: 1,
  pingInterval: 1,
  upgradeTimeout: 1,
  maxHttpBufferSize: 1,
  transports: ["polling", "websocket", "webtransport"],
  allowUpgrades: false,
  perMessageDeflate: { threshold: 1, zlibDeflateOptions: { level: 1 } },
  httpCompression: { threshold: 1 },
  wsEngine: null,
  initialPacket: "x",
  cookie: { name: "io", httpOnly: true, sameSite: "strict", path: "/", maxAge: 1 },
  allowEIO3: true,
  parser: {},
  adapter: Adapter,
  allowRequest: (req, fn) => {
    expectType<string | undefined>()(req.url);
    fn(null, true);
    fn("no", false);
  },
  cors: {
    origin: ["http://localhost", /\.example\.com$/],
    methods: ["GET", "POST"],
    credentials: true,
    allowedHeaders: "x-a",
  },
};
new Server(options);
new Server({ cors: { origin: (origin, fn) => fn(null, origin === "x") } });
new Server({ cors: (req, fn) => fn(null, { origin: req.headers.origin === "x" }) });
new Server({ cookie: true, perMessageDeflate: true, httpCompression: false });
new Server({ adapter: (nsp) => new Adapter(nsp) });
class MyAdapter extends Adapter {}
new Server({ adapter: MyAdapter });

// @ts-expect-error: no such option
new Server({ pathname: "/x" });
// @ts-expect-error: a number
new Server({ pingTimeout: "1" });
// @ts-expect-error: no such transport
new Server({ transports: ["carrier pigeon"] });
// @ts-expect-error: a cookie has a name
new Server({ cookie: { path: "/" } });
// @ts-expect-error: a port is a number
new Server("3000");

const io = new Server();
expectType<string>()(io.path());
expectType<typeof io>()(io.path("/x"));
expectType<boolean>()(io.serveClient());
expectType<typeof io>()(io.serveClient(false));
expectType<number>()(io.connectTimeout());
expectType<typeof io>()(io.connectTimeout(1));
expectType<typeof io>()(io.adapter(MyAdapter));
expectType<typeof io>()(io.listen(3000));
expectType<typeof io>()(io.attach(createServer(), { path: "/y" }));
expectType<typeof io>()(io.bind({}));
expectType<void>()(io.attachApp({}));
expectType<Promise<void>>()(io.close());
expectType<Promise<void>>()(io.close((err) => expectType<Error | undefined>()(err)));
expectType<Map<string, Set<string>>>()(io.of("/").adapter.rooms);

// The Engine.IO floor.
expectType<number>()(io.engine.clientsCount);
io.engine.on("connection", (conn) => {
  conn.anything = 1;
});
io.engine.on("initial_headers", (headers, req) => {
  headers["x-a"] = "1";
});
io.engine.generateId = (req) => `${req.url}`;
io.engine.generateId = async () => "id";
io.engine.use((req: unknown, res: unknown, next: () => void) => next());
io.on("connection", ({ conn }) => {
  expectType<number>()(conn.protocol);
  expectType<boolean>()(conn.upgraded);
  expectType<"opening" | "open" | "closing" | "closed">()(conn.readyState);
  conn.once("upgrade", (transport) => void transport.name);
  conn.on("close", (reason) => void reason);
  conn.send("x", { compress: false });
  conn.close();
});
