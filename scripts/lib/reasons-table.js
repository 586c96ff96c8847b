"use strict";

// The table in docs/fast-paths.md of what turns a fast way off, made of that in lib/ingress/reasons.js.

const fs = require("node:fs");
const reasons = require("../../lib/ingress/reasons");
const { fromRoot } = require("./paths");

const FILE = "docs/fast-paths.md";
const [BEGIN, END] = ["<!-- reasons:begin -->", "<!-- reasons:end -->"];

/** The columns, and the ways of which one is enough for a "no". */
const COLUMNS = {
  "accepted by a worker": reasons.LISTEN | reasons.ACCEPT | reasons.LEND,
  "WebSocket, when accepted": reasons.TAKES_WEBSOCKET,
  "polling, when accepted": reasons.TAKES_POLLING,
  "polling, later": reasons.MOVE_POLLING | reasons.MOVE_BEHIND,
  "WebSocket, later": reasons.TAKE_OVER,
};

/** @returns {string} the file with the table as it should be, before it is formatted */
function renderReasons() {
  const names = Object.keys(COLUMNS);
  const lines = [
    `| reason | \`doorReason\` | ${names.join(" | ")} |`,
    `|${" --- |".repeat(names.length + 2)}`,
  ];
  for (const { word, against, text } of reasons.ROWS) {
    const cells = names.map((name) => ((against & COLUMNS[name]) === 0 ? "" : "no"));
    // what closes none of these ways says only what is kept of the connection
    if (cells.some(Boolean)) lines.push(`| ${text} | ${word} | ${cells.join(" | ")} |`);
  }
  const [before, rest] = fs.readFileSync(fromRoot(FILE), "utf8").split(BEGIN);
  const [, after] = rest.split(END);
  return `${before}${BEGIN}\n\n${lines.join("\n")}\n\n${END}${after}`;
}

module.exports = { renderReasons };
