"use strict";

// The tables in docs/metrics.md, made of those in lib/api/metrics-table.js and lib/base/channels.js.

const fs = require("node:fs");
const { METRICS } = require("../../lib/api/metrics-table");
const { TABLE } = require("../../lib/base/channels");
const { fromRoot } = require("./paths");

const FILE = "docs/metrics.md";

/** @param {string[]} heads @param {string[][]} rows @returns {string} */
const tableOf = (heads, rows) =>
  [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** Puts a text between two marks. @param {string} text @param {string} name of the marks @param {string} between */
function put(text, name, between) {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [before, rest] = text.split(begin);
  const [, after] = rest.split(end);
  return `${before}${begin}\n\n${between}\n\n${end}${after}`;
}

/** @returns {string} the file with the tables as they should be, before it is formatted */
function renderMetrics() {
  const metrics = METRICS.map(({ name, type, labels, of, help }) => {
    const full = type === "counter" ? `${name}_total` : name;
    return [`\`${full}\``, type, labels.map((label) => `\`${label}\``).join(", "), of, help];
  });
  const channels = Object.values(TABLE).map(({ name, when, message }) => [
    `\`${name}\``,
    when,
    message,
  ]);
  const text = put(
    fs.readFileSync(fromRoot(FILE), "utf8"),
    "metrics",
    tableOf(["name", "type", "labels", "of the", "what it tells"], metrics),
  );
  return put(text, "channels", tableOf(["channel", "when", "message"], channels));
}

module.exports = { renderMetrics };
