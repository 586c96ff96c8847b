"use strict";

// Markdown of the comparison.

const fs = require("node:fs");
const { fromRoot } = require("../paths");

/** @param {string} name of a package, which may not export its package.json */
function versionOf(name) {
  const text = fs.readFileSync(fromRoot("node_modules", name, "package.json"), "utf8");
  return `${name} ${JSON.parse(text).version}`;
}

const VERSIONS = ["socket.io", "engine.io", "socket.io-adapter"].map(versionOf).join(", ");

const MARKS = "|";

/** @param {string} text */
const cell = (text) => text.replaceAll(MARKS, `\\${MARKS}`);

/**
 * @param {{ title: string, rows: import("./compare").Row[] }[]} sections
 * @returns {string}
 */
function render(sections) {
  const all = sections.flatMap(({ rows }) => rows);
  const there = all.filter(({ ours }) => ours !== "").length;
  const parts = [
    "# The surface",
    `All that the declarations of ${VERSIONS} name, and what stands for it here. \`npm run api-table\` makes this file: it looks
each thing up in our declarations and in our objects at run time. What subclasses see ("protected" in TypeScript) is
listed too; what is private is not.`,
    `**${all.length} names, ${there} of them here; ${all.length - there} are not, and the remark says why.**`,
  ];
  for (const { title, rows } of sections) {
    parts.push(`## ${title}`, "| upstream | ours | remark |\n|---|---|---|");
    for (const { name, ours, remark } of rows) {
      parts[parts.length - 1] += `\n| \`${cell(name)}\` | ${cell(ours || "—")} | ${cell(remark)} |`;
    }
  }
  return `${parts.join("\n\n")}\n`;
}

module.exports = { render };
