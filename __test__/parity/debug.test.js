"use strict";

/** What `DEBUG=engine*,socket.io*` tells of a session: upstream's scopes, and the moments that people look for. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { spawn } = require("../support/child");
const { oracle, ours, selected } = require("../support/implementations");
const { scenario } = require("./harness");

/** What is told in each of the scopes, in any order: texts differ in details. */
const MOMENTS = {
  "socket.io:server": [
    /creating engine\.io instance/,
    /initializing namespace/,
    /incoming connection/,
  ],
  "socket.io:client": [
    /connecting to namespace \//,
    /forcing transport close/,
    /client close with reason/,
  ],
  "socket.io:namespace": [/adding socket to nsp \//],
  "socket.io:socket": [
    /socket connected - writing packet/,
    /join room room/,
    /leave room room/,
    /got packet/,
    /emitting event \["hello","you"\]/,
    /attaching ack callback to event/,
    /dispatching an event \["hello","you",null\]/,
    /sending ack \["hello"\]/,
    /emitting packet with ack id 0/,
    /calling ack 0 with \["answer"\]/,
    /closing socket - reason server namespace disconnect/,
  ],
  "socket.io-parser": [
    /encoding packet \{.*"type":0/,
    /encoded .* as 51-\["bytes",\{"_placeholder":true,"num":0\}\]/,
    /decoded 20\["hello","you"\] as/,
    /decoded 30\["answer"\] as/,
  ],
  engine: [
    /intercepting request for path "\/socket\.io\/"/,
    /handling "GET" http request/,
    /handling "POST" http request/,
    /no middleware to apply, skipping/,
    /handshaking client/,
    /setting new request for existing client/,
    /upgrading existing transport/,
    /closing all open clients/,
  ],
  "engine:socket": [
    /readyState updated from opening to open$/m,
    /sending packet "open" \(\{"sid":/,
    /received packet message/,
    /sending packet "message" \(0\{"sid"/,
    /flushing buffer to transport/,
    /executing batch send callback/,
    /might upgrade socket transport from "polling" to "websocket"/,
    /got probe ping packet, sending pong/,
    /got upgrade packet - upgrading/,
    /closing the transport \(discard\? false\)/,
    /readyState updated from closing to closed$/m,
  ],
  "engine:polling": [
    /setting request/,
    /received "40"/,
    /writing "0\{"sid":/,
    /writing "40\{"sid":/,
  ],
  "engine:ws": [/received "2probe"/, /received "5"/, /received "42\["enough"\]"/, /closing/],
  "engine:transport": [/readyState updated from open to closing \(polling\)/, /\(websocket\)/],
};

/** What a session has told: the lines by scope. */
async function tell(implementation) {
  const child = spawn("debug-session", implementation, {
    env: { DEBUG: "engine*,socket.io*", DEBUG_COLORS: "no", DEBUG_HIDE_DATE: "yes", NO_COLOR: "1" },
  });
  const { code, stderr } = await child.exit();
  assert.equal(code, 0, stderr);
  const scopes = {};
  for (const line of stderr.split("\n")) {
    const [, scope, text] = /^(?:\S+Z )?((?:engine|socket\.io)[\w:.-]*) (.*)$/.exec(line) ?? [];
    if (scope) (scopes[scope] ??= []).push(text);
  }
  return scopes;
}

/** What the parser has told, for comparison: without the ids of sockets. */
const parsed = (told) =>
  told["socket.io-parser"].map((line) => line.replace(/"sid":"[\w-]{20}"/g, '"sid":"<id>"'));

const lines = {};

for (const implementation of selected([oracle, ours])) {
  test(`DEBUG tells of a session on ${implementation.name}`, async () => {
    const told = await tell(implementation);
    lines[implementation.name] = parsed(told);
    for (const [scope, moments] of Object.entries(MOMENTS)) {
      const text = (told[scope] ?? []).join("\n");
      for (const moment of moments)
        assert.match(text, moment, `${scope} tells nothing like ${moment}`);
    }
    if (implementation === oracle) {
      const unknown = Object.keys(told).filter((scope) => !(scope in MOMENTS));
      assert.deepEqual(unknown, [], "scopes of upstream that this test knows nothing of");
    }
  });
}

test("the parser tells the same of each packet", () => {
  if (oracle.name in lines && ours.name in lines)
    assert.deepEqual(lines[ours.name], lines[oracle.name]);
});

test("a session tells nothing when nobody asks", async () => {
  const child = spawn("debug-session", ours, { env: { DEBUG: "" } });
  assert.deepEqual(await child.exit(), { code: 0, signal: null, stdout: "", stderr: "" });
});

/** Has `debug` write its lines into the array that this gives, until the test ends. */
function listen({ defer }) {
  const debug = require("debug");
  const lines = [];
  const { log } = debug;
  debug.log = (line) => lines.push(line);
  defer(() => {
    debug.disable();
    debug.log = log;
  });
  return lines;
}

const LATER = { modes: ["websocket"] };

scenario("debug: a scope that is switched on later tells at once", LATER, async (stage) => {
  const debug = require("debug");
  const { socket } = await stage.pair();
  const lines = listen(stage);
  socket.join("before");
  debug.enable("socket.io:socket");
  socket.join("a room");
  const scopes = debug.disable();
  socket.join("another");
  assert.equal(scopes, "socket.io:socket");
  assert.equal(lines.length, 1);
  assert.match(lines[0], /join room/);
  debug.enable(scopes);
  socket.join("one more");
  assert.equal(lines.length, 2);
});

scenario("debug: a scope that a program assigns tells at once", LATER, async (stage) => {
  const { socket } = await stage.pair();
  const lines = listen(stage);
  const debug = require("debug");
  debug.enable("socket.io:client");
  socket.join("before");
  assert.deepEqual(lines, []);
  debug.enable("socket.io:*");
  socket.join("a room");
  assert.equal(lines.length, 1);
  assert.equal(debug.namespaces, "socket.io:*");
});
