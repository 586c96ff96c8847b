"use strict";

/** A strict reader of OpenMetrics 1.0 text, as far as it has counters, gauges and histograms. */

const assert = require("node:assert/strict");

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\n|\\")*)"(?:,|$)/y;
const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/;

/** @returns {Record<string, string>} */
function readLabels(text = "") {
  const labels = {};
  for (LABEL.lastIndex = 0; LABEL.lastIndex < text.length;) {
    const [, name, value] = LABEL.exec(text) ?? assert.fail(`labels: ${text}`);
    assert.ok(!(name in labels), `${name} twice: ${text}`);
    labels[name] = value.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
  }
  return labels;
}

/**
 * @param {string} text
 * @returns {Map<string, { type: string, samples: Map<string, number> }>} the families; samples by their names and labels
 */
function readOpenMetrics(text) {
  const lines = text.split("\n");
  assert.deepEqual(lines.splice(-2), ["# EOF", ""]);
  const families = new Map();
  let family;
  for (const line of lines) {
    const [, what, name, rest] = /^# (TYPE|UNIT|HELP) (\S+) (.+)$/.exec(line) ?? [];
    if (what === "TYPE") {
      assert.match(name, NAME);
      assert.ok(!families.has(name), `${name} twice`);
      assert.ok(["counter", "gauge", "histogram"].includes(rest), line);
      assert.doesNotMatch(name, /_(total|created|bucket|count|sum)$/);
      family = { name, type: rest, samples: new Map() };
      families.set(name, family);
    } else if (what !== undefined) {
      assert.equal(name, family.name, line);
      assert.equal(family.samples.size, 0, line);
      if (what === "UNIT") assert.ok(name.endsWith(`_${rest}`), line);
    } else readSample(line, family);
  }
  for (const one of families.values()) if (one.type === "histogram") checkHistogram(one);
  return families;
}

/** Reads a line into a family. */
function readSample(line, family) {
  const [, name, labels, value] = SAMPLE.exec(line) ?? assert.fail(`no sample: ${line}`);
  const suffixes = { counter: ["_total"], gauge: [""], histogram: ["_bucket", "_count", "_sum"] };
  const suffix = suffixes[family.type].find((one) => name === family.name + one);
  assert.notEqual(suffix, undefined, `${line} in ${family.name}`);
  assert.match(value, NUMBER, line);
  if (family.type === "counter") assert.ok(Number(value) >= 0, line);
  const key = JSON.stringify([suffix, readLabels(labels)]);
  assert.ok(!family.samples.has(key), `${line} twice`);
  family.samples.set(key, Number(value));
}

/** Buckets ascend, and the last of them has all. */
function checkHistogram({ name, samples }) {
  const buckets = [...samples].filter(([key]) => JSON.parse(key)[0] === "_bucket");
  if (samples.size === 0) return;
  const bounds = buckets.map(([key]) => JSON.parse(key)[1].le);
  assert.equal(bounds.at(-1), "+Inf", name);
  for (const bound of bounds.slice(0, -1)) assert.match(bound, /^\d+\.\d+$/, name);
  const counts = buckets.map(([, count]) => count);
  assert.deepEqual(
    counts,
    counts.toSorted((a, b) => a - b),
  );
  assert.equal(samples.get('["_count",{}]'), counts.at(-1), name);
}

module.exports = { readOpenMetrics };
