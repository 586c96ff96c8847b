// The adapter for Redis, by `require`.
import redis = require("ferrosocket/redis");
import { createAdapter, RedisAdapter } from "ferrosocket/redis";
import type {
  ConnectionState,
  RedisAdapterOptions,
  RedisLink,
  RedisStats,
} from "ferrosocket/redis";
import { Server } from "ferrosocket";
import { expectType } from "../expect.js";

const options: RedisAdapterOptions = {
  url: ["redis://a", "redis://b"],
  cluster: true,
  username: "user",
  password: "secret",
  database: 0,
  tls: { ca: Buffer.from(""), cert: "", key: [""], rejectUnauthorized: true },
  key: "socket.io",
  sharded: true,
  subscriptionMode: "dynamic",
  requestsTimeout: 5000,
  publishOnSpecificResponseChannel: false,
  maxBufferedBytes: 1,
  minBackoff: 1,
  maxBackoff: 1,
  connectTimeout: 1,
};
const io = new Server({ adapter: createAdapter(options) });
io.adapter(createAdapter());
io.adapter(createAdapter("redis://localhost", { sentinel: "main" }));
// @ts-expect-error: a URL is given once
createAdapter("redis://localhost", { url: "redis://localhost" });
// @ts-expect-error: no such mode
createAdapter({ subscriptionMode: "all" });
// @ts-expect-error: it is made by createAdapter()
new RedisAdapter(io.of("/"));

const { adapter } = io.of("/");
if (adapter instanceof redis.RedisAdapter) {
  expectType<RedisLink>()(adapter.redis);
  expectType<string>()(adapter.uid);
  expectType<string | undefined>()(adapter.indirectReason);
  expectType<Promise<Set<string>>>()(adapter.allRooms());
  adapter.requestsTimeout = 1_000;
  adapter.redis.on("state", (state, message) => {
    expectType<ConnectionState>()(state);
    expectType<string | undefined>()(message);
  });
  const { delivered, dropped }: RedisStats = adapter.redis.stats();
  expectType<number>()(delivered + dropped);
}
