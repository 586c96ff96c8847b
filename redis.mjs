// The ES module face: the same by name.
import redis from "./redis.js";

export const { createAdapter, RedisAdapter } = redis;
