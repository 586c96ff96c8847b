"use strict";

/** @typedef {import("./metrics").Metrics} Metrics */
/** @typedef {import("./metrics").Metric} Metric */
/** @typedef {import("./metrics-table").Distribution} Distribution */

/** The types of the two texts: OpenMetrics 1.0, and the one that Prometheus has read from the beginning. */
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC = "text/plain; version=0.0.4; charset=utf-8";

const ESCAPES = /** @type {Record<string, string>} */ ({ "\\": "\\\\", "\n": "\\n", '"': '\\"' });

/**
 * Writes metrics as text.
 *
 * @param {Metrics} metrics
 * @param {boolean} [classic] whether for those who do not read OpenMetrics
 * @returns {string}
 */
function writeMetrics(metrics, classic = false) {
  const lines = [];
  for (const [name, metric] of Object.entries(metrics)) {
    const { type, unit, help, values } = metric;
    const total = type === "counter" ? `${name}_total` : name;
    const family = classic ? total : name;
    lines.push(`# TYPE ${family} ${type}`);
    if (unit !== undefined && !classic) lines.push(`# UNIT ${family} ${unit}`);
    lines.push(`# HELP ${family} ${escape(help, classic ? /[\\\n]/g : /[\\\n"]/g)}`);
    for (const { labels, value } of values) {
      if (typeof value === "number") lines.push(`${total}${writeLabels(labels)} ${value}`);
      else lines.push(...writeDistribution(name, labels, value));
    }
  }
  if (!classic) lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

/**
 * @param {string} name
 * @param {Record<string, string>} labels
 * @param {Distribution} distribution
 * @returns {string[]}
 */
function writeDistribution(name, labels, { count, sum, buckets }) {
  const lines = buckets.map(([bound, so]) => {
    const le = bound === Infinity ? "+Inf" : float(bound);
    return `${name}_bucket${writeLabels({ ...labels, le })} ${so}`;
  });
  lines.push(`${name}_count${writeLabels(labels)} ${count}`);
  lines.push(`${name}_sum${writeLabels(labels)} ${sum}`);
  return lines;
}

/**
 * @param {number} value
 * @returns {string} as OpenMetrics has the bounds of buckets: with a point, also where it is whole
 */
function float(value) {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/**
 * @param {Record<string, string>} labels
 * @returns {string}
 */
function writeLabels(labels) {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${escape(value, /[\\\n"]/g)}"`,
  );
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

/**
 * @param {string} text
 * @param {RegExp} which
 * @returns {string}
 */
function escape(text, which) {
  return text.replace(which, (character) => ESCAPES[character]);
}

module.exports = { CLASSIC, OPEN_METRICS, writeMetrics };
