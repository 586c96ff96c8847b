// The adapter for Redis, for an ES module: the names, and no default export.
import * as all from "ferrosocket/redis";
import { createAdapter, RedisAdapter, type RedisAdapterOptions } from "ferrosocket/redis";
// @ts-expect-error: no default export
import redis from "ferrosocket/redis";
import { Server } from "ferrosocket";
import { expectType } from "../expect.js";

const options: RedisAdapterOptions = { url: "redis://localhost" };
new Server({ adapter: createAdapter(options) });
expectType<typeof RedisAdapter>()(all.RedisAdapter);
void redis;
