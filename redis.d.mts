export { createAdapter, RedisAdapter } from "./redis.js";
export type { ConnectionState, RedisAdapterOptions, RedisLink, RedisStats } from "./redis.js";
