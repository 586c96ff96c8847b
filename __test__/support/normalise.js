"use strict";

/**
 * Turns what a scenario saw into plain values that are the same on every run.
 *
 * Ids become `<id 1>`, `<id 2>` … in order of appearance, the server's port becomes `<port>`, and everything that
 * `deepStrictEqual` would compare by identity or not at all is spelled out.
 */

const ID = /^[A-Za-z0-9_-]{20}$/;
const EMBEDDED_ID = /(sid=|#|"(?:sid|pid)":")([A-Za-z0-9_-]{20})/g;

/** A deep copy of a value as it is now, made of plain objects, arrays and primitives. */
function snapshot(value, seen = new Set()) {
  if (value === undefined) return "<undefined>";
  if (typeof value === "function") return "<function>";
  if (typeof value === "symbol" || typeof value === "bigint") return `<${String(value)}>`;
  if (typeof value !== "object" || value === null) return value;
  if (seen.has(value)) return "<circular>";
  if (Buffer.isBuffer(value)) return { buffer: value.toString("hex") };
  if (value instanceof ArrayBuffer) return { arrayBuffer: Buffer.from(value).toString("hex") };
  if (ArrayBuffer.isView(value)) return { view: value.constructor.name, bytes: [...value] };
  if (value instanceof Date) return { date: value.toISOString() };
  seen.add(value);
  let copy;
  if (value instanceof Error) {
    copy = {
      error: value.message,
      ...(value.data === undefined ? {} : { data: snapshot(value.data, seen) }),
    };
  } else if (value instanceof Set) copy = { set: [...value].map((item) => snapshot(item, seen)) };
  else if (value instanceof Map) copy = { map: [...value].map((entry) => snapshot(entry, seen)) };
  else if (Array.isArray(value)) copy = Array.from(value, (item) => snapshot(item, seen));
  else {
    copy = Object.create(null);
    for (const key of Object.keys(value)) copy[key] = snapshot(value[key], seen);
  }
  seen.delete(value);
  return copy;
}

/** Replaces ids and the port in a snapshot. Names are handed out in order of appearance. */
function anonymise(value, { port, names = new Map() }) {
  const name = (id) => {
    if (!names.has(id)) names.set(id, `<id ${names.size + 1}>`);
    return names.get(id);
  };
  const visit = (item) => {
    if (typeof item === "string") {
      if (ID.test(item)) return name(item);
      return item
        .replace(EMBEDDED_ID, (_, before, id) => before + name(id))
        .replaceAll(`127.0.0.1:${port}`, "127.0.0.1:<port>");
    }
    if (Array.isArray(item)) return item.map(visit);
    if (typeof item === "object" && item !== null) {
      const copy = Object.create(null);
      for (const key of Object.keys(item)) copy[visit(key)] = visit(item[key]);
      return copy;
    }
    return item;
  };
  return visit(value);
}

module.exports = { anonymise, snapshot };
