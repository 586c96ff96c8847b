"use strict";

// What is measured.
//
// A case: `name` (for --case), `title`, `mode` and `args` of the load generator, and `by`, the figure
// that the ratio is made of. If it is so: `curve`, the load curve that it is a point of; `quick`, measured under
// --quick, with other arguments or `{}`; `floor`, measured with the peer that is the floor, too; `needs`, a feature that
// not all peers have; `options` of the server; `app`, see servers/handlers.js; `first`, another load that goes before,
// unmeasured; `cluster`: the server is the node of a cluster, with Redis beside it; `rounds`, at most: for what takes long and hardly varies; `asked`, measured only when it is named.

/** @typedef {"per_s" | "cpu_us" | "kib_per_connection"} Figure */
/** @typedef {Record<string, number | string>} Arguments */
/**
 * @typedef {{ name: string, title: string, mode: string, by: Figure, args: Arguments, quick?: Arguments,
 *   needs?: import("./peers.js").Feature, options?: object, app?: string, curve?: string, floor?: boolean,
 *   first?: { mode: string, args: Arguments }, cluster?: boolean, rounds?: number, asked?: boolean }} Case
 */

/**
 * How memory is measured: from a server that has had clients before (what the first one makes it load and compile is not
 * what a client costs) to one that has all of them, each time when it has collected its garbage and been quiet for a
 * while (V8 gives back what a rush of connects took, after seconds).
 */
const SETTLED = 25; // seconds
const WARM_SERVER = { mode: "idle", args: { conns: 500, secs: SETTLED } };

/** @type {Case[]} */
const events = [
  {
    name: "echo",
    title: "echo 32 B, 100 × 1 in flight",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 1, size: 32 },
    floor: true,
    quick: {},
  },
  {
    name: "echo4",
    title: "echo 32 B, 100 × 4",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 4, size: 32 },
    floor: true,
    quick: {},
  },
  {
    name: "echo4k",
    title: "echo 4 KB, 100 × 4",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 4, size: 4096 },
    quick: {},
  },
  {
    name: "echo64k",
    title: "echo 64 KB, 100 × 1",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 1, size: 65_536 },
  },
  {
    name: "ack",
    title: "ack 32 B, 100 × 4",
    mode: "ack",
    by: "per_s",
    args: { conns: 100, depth: 4, size: 32 },
    quick: {},
  },
  {
    name: "binary1k",
    title: "binary 1 KB both ways, 100 × 4",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 4, size: 1024, binary: 1 },
  },
  {
    name: "binary64k",
    title: "binary 64 KB both ways, 100 × 1",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 1, size: 65_536, binary: 1 },
  },
  {
    name: "namespaces",
    title: "echo 32 B, 1,000 × 1, a namespace per client",
    mode: "echo",
    by: "per_s",
    args: { conns: 1000, depth: 1, size: 32, namespaces: 1 },
  },
  {
    name: "polling",
    title: "echo 32 B over polling, 100 × 1",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 1, size: 32, via: "polling" },
  },
  {
    // The next piece is sent when one is acknowledged: 200 of them are 50 MB.
    name: "upload",
    title: "upload over polling, pieces of 256 KB, 1 client",
    mode: "upload",
    by: "per_s",
    args: { conns: 1, depth: 1, size: 262_144, via: "polling" },
  },
];

/**
 * For how long the generator looks for more before it falls asleep, in microseconds: a server that is about as fast as the
 * generator would wake it with every few writes, and pay for that. Real clients sleep on other machines.
 */
const SPIN = 100;

/** @type {Case[]} */
const broadcasts = [
  {
    name: "broadcast",
    title: "io.emit to 1,000, 1 outstanding",
    mode: "broadcast",
    by: "per_s",
    args: { conns: 1000, window: 1, size: 32, spin: SPIN },
    quick: {},
  },
  {
    name: "broadcast4",
    title: "io.emit to 1,000, 4 outstanding",
    mode: "broadcast",
    by: "per_s",
    args: { conns: 1000, window: 4, size: 32, spin: SPIN },
    quick: {},
  },
  {
    name: "rooms",
    title: "io.to(room), 200 rooms × 50",
    mode: "broadcast",
    by: "per_s",
    args: { conns: 10_000, rooms: 200, to: "room", window: 1, size: 32, spin: SPIN },
  },
  {
    name: "except",
    title: "socket.to(room), 200 rooms × 50",
    mode: "broadcast",
    by: "per_s",
    args: { conns: 10_000, rooms: 200, to: "others", window: 1, size: 32, spin: SPIN },
  },
  {
    name: "two-rooms",
    title: "io.to(a).to(b), 200 rooms × 50",
    mode: "broadcast",
    by: "per_s",
    args: { conns: 10_000, rooms: 200, to: "pair", window: 1, size: 32, spin: SPIN },
  },
  {
    // More than the buffers of the kernel hold for those who do not read.
    name: "volatile",
    title: "io.volatile.emit 16 KB, 100/s to 200, 20 do not read",
    mode: "volatile",
    by: "cpu_us",
    args: { conns: 200, slow: 20, rate: 100, size: 16_384 },
  },
  {
    // The notes of the run tell how many of the events arrive.
    name: "board",
    title: "a board of cursors, 30 × 30/s, io.volatile.emit",
    mode: "board",
    by: "cpu_us",
    args: { conns: 30, rate: 900, size: 32 },
  },
  {
    // Without context takeover: with it, ws compresses the short control packets too, which the generator
    // would have to read.
    name: "deflate",
    title: "io.emit 4 KB to 500, permessage-deflate",
    mode: "broadcast",
    by: "per_s",
    needs: "deflate",
    options: {
      perMessageDeflate: {
        threshold: 1024,
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
      },
    },
    args: { conns: 500, window: 1, size: 4096, deflate: 1, spin: SPIN },
  },
];

/** @type {Case[]} */
const connections = [
  {
    name: "storm",
    title: "connects over WebSocket, 50 at a time",
    mode: "storm",
    by: "per_s",
    args: { conns: 50 },
    quick: {},
  },
  {
    name: "storm-polling",
    title: "connects over polling, 50 at a time",
    mode: "storm",
    by: "per_s",
    args: { conns: 50, via: "polling" },
  },
  {
    // Many at a time: an upgrade may wait for a timer of the server.
    name: "storm-upgrade",
    title: "connects over polling, then upgrade, 500 at a time",
    mode: "storm",
    by: "per_s",
    args: { conns: 500, via: "upgrade" },
  },
  {
    name: "reconnect",
    title: "reconnects with recovery, 50 at a time",
    mode: "reconnect",
    by: "per_s",
    needs: "recovery",
    app: "recovery",
    options: { connectionStateRecovery: {} },
    args: { conns: 50 },
  },
  {
    name: "idle",
    title: "idle connections",
    mode: "idle",
    by: "kib_per_connection",
    first: WARM_SERVER,
    rounds: 1,
    args: { conns: 15_000, secs: SETTLED },
    quick: { conns: 5000, secs: 1 },
  },
  {
    name: "idle-request",
    title: "idle connections, socket.request looked at",
    mode: "idle",
    by: "kib_per_connection",
    app: "request",
    first: WARM_SERVER,
    rounds: 1,
    args: { conns: 15_000, secs: SETTLED },
  },
];

/** 500 clients in rooms of 50, and broadcasts of another node for one room each. */
const NODE = { conns: 500, rooms: 10, to: "room", size: 32, spin: SPIN };

/** The most of them, and what one costs at a rate that all servers keep up with. @type {Case[]} */
const clusters = [
  {
    name: "remote",
    title: "broadcasts of another node, to 50 of 500, 10 × 4 in flight",
    mode: "remote",
    by: "per_s",
    cluster: true,
    args: { ...NODE, window: 4 },
  },
  {
    name: "remote-paced",
    title: "the same, 500/s",
    mode: "remote",
    by: "cpu_us",
    cluster: true,
    args: { ...NODE, rate: 500, pace: "random" },
  },
  {
    // Now and then one for a client, by which the generator knows how far the server is.
    name: "remote-foreign",
    title: "broadcasts of another node, 499 of 500 concern nobody",
    mode: "remote",
    by: "per_s",
    cluster: true,
    args: { ...NODE, rooms: 500, senders: 8, foreign: 499 },
  },
];

/** Events a second: from a few to more than half of what the slowest can. */
const RATES = [2000, 5000, 10_000, 20_000, 40_000];

/** What an echo costs, and how long it takes, below saturation: the points of a load curve. */
function curve(name, pace, more) {
  return RATES.map((rate) => ({
    name: `${name}-${rate}`,
    title: `echo 32 B, 200 clients, ${rate.toLocaleString("en-US")}/s`,
    mode: "echo",
    by: /** @type {Figure} */ ("cpu_us"),
    curve: name,
    args: { conns: 200, rate, size: 32, pace },
    floor: true,
    ...more(rate),
  }));
}

/** @type {Case[]} */
const paced = [
  ...curve("curve", "random", (rate) => rate === 5000 && { quick: {} }),
  ...curve("bursts", "ticks", () => ({ asked: true })),
];

/** The load curves: each is drawn, and has a table of its own. */
const curves = [
  {
    name: "curve",
    title: "Load curve",
    about:
      "Echo of 32 B below saturation: 200 clients send at so many events a second together, each at random times and whatever comes back. " +
      "The latency counts from when an event was due.",
  },
  {
    name: "bursts",
    title: "Load curve, in small bursts",
    about:
      "The same, but what is due within a millisecond is sent together: servers are woken for several events at once. " +
      "The latency has the wait for the millisecond in it.",
  },
];

const cases = [...events, ...broadcasts, ...connections, ...clusters, ...paced];

module.exports = { cases, curves };
