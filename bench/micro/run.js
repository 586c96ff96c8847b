"use strict";

// `npm run bench:micro`: what single operations cost, of the Rust floors and of the JavaScript of the border.

const fs = require("node:fs");
const path = require("node:path");
const { parseArgs } = require("node:util");

const machine = require("../lib/machine.js");
const js = require("./js.js");
const rust = require("./rust.js");

const help = `npm run bench:micro -- [options] [WORD]
  WORD     only cases whose name contains it
  --rust   only those in Rust
  --js     only those in JavaScript
  --save   write MICRO.md, as a run of everything is meant to`;

const page = path.join(__dirname, "..", "MICRO.md");

/** What the command line asks for. Throws on what it does not know. */
function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rust: { type: "boolean", default: false },
      js: { type: "boolean", default: false },
      save: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const both = values.rust === values.js;
  return {
    help: values.help,
    rust: both || values.rust,
    js: both || values.js,
    save: values.save,
    word: positionals[0] ?? "",
  };
}

/** 1234.5 → "1,235"; small numbers keep a digit. */
function number(value) {
  if (value === undefined) return "–";
  const digits = value < 100 ? 1 : 0;
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** A Markdown table whose columns but the first are numbers. */
function table(head, rows) {
  const cells = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const line = (row) =>
    `| ${row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(" | ")} |`;
  const rule = widths.map((width, i) => (i ? `${"-".repeat(width - 1)}:` : "-".repeat(width)));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** The table of the Rust cases. */
function rustTable(word) {
  console.error("building the Rust cases (the first time: minutes)");
  const program = rust.build();
  console.error("measuring the time");
  const times = rust.times(program, word);
  const able = rust.canCount();
  console.error(able ? "counting instructions" : "valgrind is missing: no instructions");
  const counts = able ? rust.counts(program, word) : new Map();
  const rows = [...times].map(([name, ns]) => [name, number(counts.get(name)), number(ns)]);
  return table(["Rust", "instructions", "ns"], rows);
}

/** The table of the JavaScript cases. */
function jsTable(word) {
  console.error("measuring the JavaScript of the border");
  const names = js.names().filter((name) => name.includes(word));
  return table(
    ["JavaScript", "CPU ns"],
    names.map((name) => [name, number(js.figure(name))]),
  );
}

function main() {
  const options = readOptions();
  if (options.help) {
    console.log(help);
    return;
  }
  const tables = [];
  if (options.rust) tables.push(rustTable(options.word));
  if (options.js) tables.push(jsTable(options.word));
  console.log(`\n${tables.join("\n\n")}\n`);
  if (!options.save) return;
  const facts = machine.describe([]).map((fact) => `- ${fact}`);
  const title = `# Micro-benchmarks\n\n\`npm run bench:micro\` on ${new Date().toISOString().slice(0, 10)}; [README.md](README.md#micro-benchmarks) tells what it means.`;
  fs.writeFileSync(page, `${[title, facts.join("\n"), ...tables].join("\n\n")}\n`);
  console.error(`written: ${path.relative(process.cwd(), page)}`);
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
