"use strict";

/** Arguments an application may emit, by name; made anew on each call because some of them can be used up. */
function textValues() {
  return {
    nothing: [],
    strings: [
      "",
      "a",
      '"quoted"\\',
      "line\nbreak\r\t\0",
      "\u2028\u2029",
      "é",
      "日本語",
      "\x1e",
      "\x7f",
    ],
    astral: ["\u{1F600}", "a\u{10FFFF}b", "👩‍👩‍👧‍👦"],
    "lone surrogates": ["\ud800", "x\udc00y", "\udc00\ud800"],
    numbers: [0, -0, 1, -1, 1.5, 1e21, 1e-7, 2 ** 53 - 1, Number.MIN_VALUE, Number.MAX_VALUE],
    "not numbers": [NaN, Infinity, -Infinity],
    "null and undefined": [null, undefined, [undefined], { gone: undefined, kept: null }],
    booleans: [true, false, Object(true), Object("boxed"), Object(1)],
    dates: [new Date(0), { at: new Date(1.5e12) }, new Date(NaN)],
    functions: [{ method() {} }, [() => {}], Symbol.iterator],
    collections: [new Map([[1, 2]]), new Set([1]), /regexp/g, new Error("lost")],
    "sparse array": [[, 1, , 2]], // eslint-disable-line no-sparse-arrays
    toJSON: [
      { toJSON: () => "instead" },
      { toJSON: () => undefined },
      { a: { toJSON: (key) => key } },
    ],
    inherited: [Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } })],
    getters: [Object.defineProperty({}, "computed", { get: () => "got", enumerable: true })],
    "__proto__ key": [JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')],
    "numeric and empty keys": [{ 2: "b", 1: "a", "": "empty", "with space": 0 }],
    nested: [{ a: [{ b: [[[{ c: "deep" }]]] }] }],
    "placeholder look-alike": [{ _placeholder: false, num: 0 }, { placeholder: true }],
    "long string": ["x".repeat(100_000), "é".repeat(50_000)],
    "many arguments": Array.from({ length: 500 }, (_, i) => i),
  };
}

/** Arguments with binary parts. */
function binaryValues() {
  return {
    buffer: [Buffer.from([0, 1, 2, 255])],
    "empty buffer": [Buffer.alloc(0)],
    "typed array": [new Uint8Array([1, 2, 3]), new Uint16Array([1, 513])],
    "array buffer": [new Uint8Array([9, 8, 7]).buffer],
    "data view": [new DataView(new Uint8Array([4, 5, 6, 7]).buffer, 1, 2)],
    "slice of a larger buffer": [Buffer.from("0123456789").subarray(3, 6)],
    nested: [
      { a: { b: [Buffer.from("one"), { c: Buffer.from("two") }] }, text: "between" },
      Buffer.from("three"),
    ],
    "same buffer twice": (() => {
      const shared = Buffer.from("shared");
      return [shared, [shared]];
    })(),
    "ten of them": Array.from({ length: 10 }, (_, i) => Buffer.from([i])),
    "toJSON returning one": [{ toJSON: () => Buffer.from("from toJSON") }],
    "with dates and toJSON": [{ at: new Date(0), b: Buffer.from("b") }, new Date(1)],
    large: [Buffer.alloc(300_000, 7)],
  };
}

function deepArray(depth) {
  let value = [];
  for (let i = 1; i < depth; i++) value = [value];
  return value;
}

function deepObject(depth) {
  let value = {};
  for (let i = 1; i < depth; i++) value = { d: value };
  return value;
}

module.exports = { binaryValues, deepArray, deepObject, textValues };
