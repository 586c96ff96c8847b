"use strict";

/** Clients that send in the same moment what the server passes on to readers: who of them gets how much? */

const { eventually } = require("./waiting");

/**
 * Has each sender send one event a round, all in the same turn of the event loop, and waits after each round until the
 * server has handled them.
 *
 * @param {object} board
 * @param {any} board.io
 * @param {{ raw: any, socket: any }[]} board.senders
 * @param {{ raw: any }[]} board.readers
 * @param {number} board.rounds
 * @param {(socket: any, ...args: any[]) => void} board.pass what the server does with an event "v" of a socket
 * @param {number} [board.each] events of a sender in a round, in one chunk of bytes
 * @returns {Promise<number[]>} how many of them each reader has got
 */
async function relay({ io, senders, readers, rounds, pass, each = 1 }) {
  let handled = 0;
  for (const { socket } of senders)
    socket.on("v", (...args) => {
      handled++;
      pass(socket, ...args);
    });
  const counts = readers.map(({ raw }) => countUntilEnd(raw));
  for (let round = 1; round <= rounds; round++) {
    for (const { raw } of senders) {
      raw.socket.cork();
      for (let n = 0; n < each; n++) raw.text(`42["v",${round},${n}]`);
      raw.socket.uncork();
    }
    const all = round * senders.length * each;
    await eventually(() => handled === all, `${all} events at the server`);
  }
  io.emit("end");
  return Promise.all(counts);
}

/** How many events "v" a client gets before "end". */
async function countUntilEnd(raw) {
  for (let count = 0; ;) {
    const packet = await raw.next();
    if (packet === null) throw new Error("the connection has ended");
    if (packet.startsWith('42["v"')) count++;
    else if (packet.startsWith('42["end"')) return count;
  }
}

/** What a board comes to when nothing is lost. */
const everything = (readers, each) => Array.from({ length: readers }, () => each);

module.exports = { everything, relay };
