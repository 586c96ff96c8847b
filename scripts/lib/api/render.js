"use strict";

// Markdown of the comparison.

const fs = require("node:fs");
const { fromRoot } = require("../paths");

/** @param {string} name of a package, which may not export its package.json */
function versionOf(name) {
  const text = fs.readFileSync(fromRoot("node_modules", name, "package.json"), "utf8");
  const manifest = JSON.parse(text); // which says what an alias stands for
  return `${manifest.name} ${manifest.version}`;
}

const VERSIONS = ["socket.io", "engine.io", "socket.io-adapter"].map(versionOf).join(", ");

const { OURS } = require("./ours");

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
  parts.push("## Names of ours", "| name | what it is |\n|---|---|");
  for (const [name, what] of OURS)
    parts[parts.length - 1] += `\n| \`${cell(name)}\` | ${cell(what)} |`;
  return `${parts.join("\n\n")}\n`;
}

/**
 * @param {{ title: string, rows: import("./old-compare").OldRow[] }[]} sections
 * @returns {string}
 */
function renderOld(sections) {
  const all = sections.flatMap(({ rows }) => rows);
  const count = (entry) => all.filter(({ ours, theirs }) => ours[entry] === theirs).length;
  const parts = [
    "# The surface of Socket.IO 2.x",
    `All that the objects of ${versionOf("socket.io-2")} have, and what the two entries of this package have of it. There are no
declarations of that version to read: \`npm run api-table\` makes this file from one object of each class, its prototypes,
and the scripts (options, events, which methods are called private).`,
    `**${all.length} names; ${count(0)} are the same in the main entry, ${count(1)} in \`ferrosocket/v2\`.** The remark says why others are not.`,
  ];
  for (const { title, rows } of sections) {
    parts.push(
      `## ${title}`,
      "| 2.x | there | `ferrosocket` | `ferrosocket/v2` | remark |\n|---|---|---|---|---|",
    );
    for (const { name, theirs, ours, remark } of rows) {
      const cells = [`\`${name}\``, theirs, ...ours.map((one) => one || "—"), remark];
      parts[parts.length - 1] += `\n| ${cells.map(cell).join(" | ")} |`;
    }
  }
  return `${parts.join("\n\n")}\n`;
}

module.exports = { render, renderOld };
