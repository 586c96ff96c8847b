"use strict";

/** Servers in threads of one process, each with a connection of its own, which ends with its thread. */

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");
const { Worker } = require("node:worker_threads");
const { eventually, until, within } = require("../support/waiting");
const { RedisStage } = require("./stage");

const SCRIPT = path.join(__dirname, "..", "children", "redis-thread.js");

test("servers in worker threads are one by Redis, whether or not their threads end well", async (t) => {
  const stage = await RedisStage.open(t);
  const publisher = await stage.publisher();
  const connections = async () => {
    const list = await publisher.sendCommand(["CLIENT", "LIST"]);
    return list.trim().split("\n").length;
  };
  const here = await stage.server();
  const client = await stage.client(here);
  const before = await connections();

  for (let round = 0; round < 3; round++) {
    const threads = [1, 2].map(() => new Worker(SCRIPT, { workerData: stage.url }));
    const ports = await Promise.all(threads.map((thread) => until(thread, "message")));
    const others = await Promise.all(ports.map(([port]) => stage.client({ port })));
    const all = [client, ...others];
    for (const one of all) await stage.reach(here, one);
    for (const one of others) {
      let reached = false;
      client.once("event", () => (reached = true));
      await within(
        (async () => {
          while (!reached) {
            one.emit("tell", "from a thread", Buffer.from("bytes"));
            await new Promise((resolve) => setImmediate(resolve));
          }
        })(),
        "a broadcast of a thread",
      );
    }
    await eventually(() => all.every(({ got }) => got.length > 0), "the events");
    assert.deepEqual(client.got[0], ["from a thread", Buffer.from("bytes")]);
    // in the middle of broadcasts that are on their way to them
    for (let n = 0; n < 100; n++) here.io.emit("event", n);
    await Promise.all(threads.map((thread) => thread.terminate()));
    await within(
      (async () => {
        while ((await connections()) > before);
      })(),
      "their connections to end",
    );
  }
  here.io.emit("event", "end");
  await eventually(() => client.got.at(-1)[0] === "end", "the event");
});
