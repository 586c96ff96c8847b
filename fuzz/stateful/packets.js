"use strict";

// What the fuzzer says: packets and frames, as they should be and broken.

const { OPCODE, frame } = require("../../__test__/support/raw-websocket");

const NAMESPACES = ["", "", "", "/chat,", "/dyn-1,", "/dyn-2,", "/none,", "/chat?a=b,"];
const ROOMS = ["a", "b", "c", ""];

/** JSON that a parser may stumble over. */
const VALUES = [
  "1",
  '"text"',
  "null",
  "[]",
  "{}",
  '{"__proto__":{"x":1}}',
  '{"_placeholder":true,"num":0}',
  '{"_placeholder":true,"num":0.5}',
  '{"_placeholder":true,"num":9}',
  '"\\ud83d\\ude00é\\u0000"',
  "1e999",
  `"${"x".repeat(3000)}"`,
  `${"[".repeat(300)}${"]".repeat(300)}`,
];

/**
 * What a client knows.
 * @typedef {object} Knowledge
 * @property {{ nsp: string, pid: string }[]} pids of sessions that were there
 * @property {string[]} joined the namespaces that it has asked for, as packets name them
 */

/**
 * A text packet, as it should be. To ask for a namespace, to leave one, and what has no place here, is seldom.
 *
 * @param {import("./random").Random} random
 * @param {Knowledge} knowledge
 */
function packet(random, { pids, joined }) {
  const seldom = random.once(12);
  const nsp = seldom || joined.length === 0 ? random.pick(NAMESPACES) : random.pick(joined);
  const room = JSON.stringify(random.pick(ROOMS));
  const value = random.pick(VALUES);
  if (!seldom && joined.length > 0) return event(random, nsp, room, value);
  return random.pick([
    () => `40${nsp}`,
    () => `40${nsp}${random.pick(['{"slow":true}', '{"deny":true}', '{"token":"x"}', "{}"])}`,
    () => comingBack(random, nsp, pids),
    () => `43${nsp}${random.int(5)}[${value}]`,
    () => `46${1 + random.int(2)}-${nsp}${random.int(5)}[{"_placeholder":true,"num":1}]`,
    () => `42${nsp}["bye",${random.pick(["true", "false"])}]`,
    () => `41${nsp}`,
    () => random.pick(["1", "2", "3", "2probe", "3probe", "5", "6"]),
  ])();
}

function event(random, nsp, room, value) {
  return random.pick([
    () => `42${nsp}["join",${room}]`,
    () => `42${nsp}["join",${room}]`,
    () => `42${nsp}["leave",${room}]`,
    () => `42${nsp}["say",${room},${value}]`,
    () => `42${nsp}["say",${room},${value}]`,
    () => `42${nsp}["passing",${room},${value}]`,
    () => `42${nsp}${random.int(5)}["ack",${value}]`,
    () => `42${nsp}["ask",${value}]`,
    () => `45${1 + random.int(2)}-${nsp}["say",${room},${value},{"_placeholder":true,"num":0}]`,
  ])();
}

/** CONNECT of one who was there. */
function comingBack(random, nsp, pids) {
  const offset = random.pick([undefined, undefined, "text", "x.1"]);
  const own = pids.filter((one) => one.nsp === nsp);
  const { pid } = random.pick(own.length > 0 && !random.once(4) ? own : pids);
  return `40${nsp}${JSON.stringify({ pid, offset })}`;
}

/** CONNECT, noted. */
function joining(random, { pids, joined }) {
  const nsp = random.pick(NAMESPACES.slice(0, 6));
  if (joined.includes(nsp)) return `42${nsp}["join","a"]`;
  joined.push(nsp);
  return random.once(3) ? comingBack(random, nsp, pids) : `40${nsp}`;
}

/** A packet, broken or not. */
function text(random, knowledge) {
  let made = packet(random, knowledge);
  if (!random.once(20)) return made;
  for (let i = random.int(3); i >= 0; i--) {
    const at = random.int(made.length + 1);
    made = random.pick([
      () => made.slice(0, at),
      () => made.slice(at),
      () => made.slice(0, at) + String.fromCharCode(random.int(0x180)) + made.slice(at),
      () => made.slice(0, at) + made.slice(at + 1),
      () => made + made,
      () => made.slice(0, at) + packet(random, knowledge),
    ])();
  }
  return made;
}

/** Frames of a WebSocket, broken or not. */
function frames(random, knowledge) {
  const made = text(random, knowledge);
  const data = Buffer.from(made);
  if (!random.once(16)) {
    const count = /^4[56](\d)-/.exec(made)?.[1] ?? (random.once(30) ? 1 : 0);
    const binaries = Array.from({ length: Number(count) }, () => {
      return frame(OPCODE.binary, random.bytes(random.int(200)));
    });
    return Buffer.concat([frame(OPCODE.text, data), ...binaries]);
  }
  return random.pick([
    () => frame(random.int(16), data),
    () => frame(OPCODE.text, data, { rsv: random.int(8) }),
    () => frame(OPCODE.text, data, { mask: false }),
    () => frame(OPCODE.text, data, { length: BigInt(random.pick([200, 70_000, 2 ** 40])) }),
    () => frame(OPCODE.ping, data.subarray(0, random.int(130))),
    () => Buffer.concat(Array(80).fill(frame(OPCODE.ping, "p"))),
    () => frame(OPCODE.close, random.pick([[], [3], [3, 232], [3, 237], [0x13, 0x88, 0xff]])),
    () => {
      const at = random.int(data.length + 1);
      return Buffer.concat([
        frame(OPCODE.text, data.subarray(0, at), { fin: false }),
        random.once(2) ? frame(OPCODE.ping, "between") : Buffer.alloc(0),
        frame(OPCODE.continuation, data.subarray(at), { fin: !random.once(4) }),
      ]);
    },
    () => random.bytes(random.int(64)),
  ])();
}

/** The body of a POST, broken or not. */
function payload(random, knowledge, protocol) {
  const packets = Array.from({ length: 1 + random.int(4) }, () =>
    random.once(12) ? `b${random.bytes(5).toString("base64")}` : text(random, knowledge),
  );
  if (protocol === 4) return random.once(10) ? random.bytes(40) : packets.join("\x1e");
  return packets.map((one) => `${one.length + (random.once(10) ? 1 : 0)}:${one}`).join("");
}

module.exports = { frames, joining, payload, text };
