export {
  createAdapter,
  type ConnectionState,
  RedisAdapter,
  type RedisAdapterOptions,
  type RedisLink,
  type RedisStats,
} from "./types/redis";
