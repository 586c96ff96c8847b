"use strict";

/** Random strings of all that JSON writes in ways of its own; the same in each run. */

/** A generator whose numbers are the same in each run (mulberry32). */
function randomNumbers(seed) {
  return (limit) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

/** What strings are made of: from "nothing to escape" to "all of it". */
const ALPHABETS = [
  (random) => 0x61 + random(26),
  (random) => 0x20 + random(0x60),
  (random) => random(0x80),
  (random) => random(0x20),
  (random) => random(0x100),
  (random) => random(0x10000),
  (random) => 0xd800 + random(0x800),
  (random) => [0x22, 0x5c, 0x2028, 0x7f, 0x80, 0xfeff, 0xffff][random(7)],
];

/** A string of stretches, each from one alphabet. */
function randomString(random, length) {
  let string = "";
  while (string.length < length) {
    const alphabet = ALPHABETS[random(ALPHABETS.length)];
    const units = Array.from({ length: 1 + random(80) }, () => alphabet(random));
    string += String.fromCharCode(...units);
  }
  return string.slice(0, length);
}

module.exports = { randomNumbers, randomString };
