"use strict";

// What is told by a script rather than measured under load. Each runs once per server, only when it is named.
//
// A trial: `name` (for --case), `title`, `app` and `options` as in cases.js, `columns`, and `run(server, say, start)`, which
// gives the cells of a row; `start()` starts another server like that. What the columns mean is in `legend`. If it is `cluster`,
// the servers are nodes of one, with the Redis that `redis()` starts. With `variants` it runs once for each of them, which may be for one
// peer only.

const blocked = require("./blocked.js");
const flood = require("./flood.js");
const restart = require("./restart.js");
const sieve = require("./sieve.js");
const soak = require("./soak.js");

/**
 * @typedef {import("../lib/fake-redis.js").FakeRedis} FakeRedis
 * @typedef {{ port: number, pid: number, stop: () => Promise<void>, redis?: FakeRedis }} Running
 * @typedef {{ name: string, title: string, app?: string, options?: object, columns: string[], legend: string[],
 *   lacking?: string[], cluster?: boolean, variants?: { title?: string, options?: object, only?: string }[], redis?: () => Promise<FakeRedis>,
 *   run: (server: Running, say: (text: string) => void, start: () => Promise<Running>) => Promise<string[]> }} Trial
 */

/** @type {Trial[]} */
const trials = [blocked, flood, restart, sieve, soak];

module.exports = { trials };
