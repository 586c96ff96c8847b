"use strict";

// The table in docs/fast-paths.md of what turns a fast way off, made of that in lib/ingress/reasons.js.

const fs = require("node:fs");
const { closedBy, WAYS } = require("../../bin/doctor/ways");
const { ROWS } = require("../../lib/ingress/reasons");
const { fromRoot } = require("./paths");

const FILE = "docs/fast-paths.md";
const [BEGIN, END] = ["<!-- reasons:begin -->", "<!-- reasons:end -->"];

/** @returns {string} the file with the table as it should be, before it is formatted */
function renderReasons() {
  const names = Object.keys(WAYS);
  const lines = [
    `| reason | \`doorReason\` | ${names.join(" | ")} |`,
    `|${" --- |".repeat(names.length + 2)}`,
  ];
  for (const row of ROWS) {
    const closed = closedBy(row);
    const cells = names.map((name) => (closed.includes(name) ? "no" : ""));
    // what closes none of these ways says only what is kept of the connection
    if (closed.length > 0) lines.push(`| ${row.text} | ${row.word} | ${cells.join(" | ")} |`);
  }
  const [before, rest] = fs.readFileSync(fromRoot(FILE), "utf8").split(BEGIN);
  const [, after] = rest.split(END);
  return `${before}${BEGIN}\n\n${lines.join("\n")}\n\n${END}${after}`;
}

module.exports = { renderReasons };
