"use strict";

// Looks whether our texts name only what is there: `node scripts/check-docs.js`, which `npm run lint` runs.
//
// - A link leads to a file, and to a heading of it.
// - A path of ours, in a text or in a comment, is one of the tree.
// - Every other name in backticks stands somewhere in the sources: a class, a function, an option.

const fs = require("node:fs");
const path = require("node:path");

const { slug } = require("./lib/headings");
const { fromRoot } = require("./lib/paths");
const { runMain } = require("./lib/ui");

/** Texts whose names must be ours. Others tell of the past, or of what is not ours: of them the links and paths count. */
const OURS = new Set([
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "docs/fast-paths.md",
  "docs/operating.md",
]);
/** What is not ours, or is made by a program. */
const SKIPPED = ["node_modules", "target", "corpus", "artifacts", "client-dist", ".work", ".git"];

/** A path in a text: a folder, and a file whose name ends as those of ours; or a folder, in backticks. */
const PATH =
  /(?<![\w@./-])[\w-]+\/[\w./-]*\w\.(?:rs|js|ts|mts|mjs|md|toml)\b|(?<=`)[\w-]+\/(?:[\w-]+\/)*(?=`)/g;
const LINK = /\]\(([^)\s]+)\)/g;
/** What stands in backticks, and is no command. */
const CODE = /(?<!`)`([^`\s]+)`(?!`)/g;
const WORD = /[A-Za-z_$][\w$]{2,}(?![\w$]*\*)/g;

/** @param {string} folder @returns {string[]} the files below, by their paths from the root */
function walk(folder) {
  return fs.readdirSync(fromRoot(folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (SKIPPED.includes(entry.name)) return [];
    return entry.isDirectory() ? walk(name) : [name];
  });
}

/** @param {string} text @returns {Set<string>} what GitHub makes of its headings, for links */
function anchors(text) {
  const headings = text.matchAll(/^#+ (.*)$/gm);
  return new Set(Array.from(headings, ([, heading]) => slug(heading)));
}

/**
 * @param {string} file where it is named
 * @param {string} name
 * @returns {string[]} what it may stand for: a path from the root, from a folder of sources, or from beside the file
 */
function readings(file, name) {
  const bases = ["", "src", "lib", path.posix.dirname(file)];
  return bases.map((base) => path.posix.join(base, name).replace(/\/$/, ""));
}

function main() {
  const files = walk("");
  const known = new Set(files);
  for (const file of files)
    for (let at = path.posix.dirname(file); at !== "."; at = path.posix.dirname(at)) known.add(at);
  const contents = new Map(
    files
      .filter((file) => /\.(rs|js|ts|mts|mjs|md|toml|json)$/.test(file) && !file.includes("lock"))
      .map((file) => [file, fs.readFileSync(fromRoot(file), "utf8")]),
  );
  const names = new Set();
  for (const [file, content] of contents)
    if (!file.endsWith(".md")) for (const [word] of content.matchAll(WORD)) names.add(word);

  /** @type {string[]} */
  const faults = [];
  for (const [file, content] of contents) {
    const isText = file.endsWith(".md");
    content.split("\n").forEach((line, index) => {
      const fault = (/** @type {string} */ what) => faults.push(`${file}:${index + 1}: ${what}`);
      const isComment = line.includes("//") || /^\s*\/?\*/.test(line);
      for (const [name] of isText || isComment ? line.matchAll(PATH) : []) {
        if (SKIPPED.some((part) => name.split("/").includes(part))) continue;
        const isOfOurs = readings(file, name.split("/")[0]).some((top) => known.has(top));
        if (isOfOurs && !readings(file, name).some((reading) => known.has(reading)))
          fault(`there is no ${name}`);
      }
      for (const [, link] of isText ? line.matchAll(LINK) : []) {
        const [to, anchor] = link.split("#");
        const target = to === "" ? file : path.posix.join(path.posix.dirname(file), to);
        if (/^[a-z]+:/.test(link)) continue;
        if (!known.has(target)) fault(`a link leads to ${link}, which is not there`);
        else if (anchor && !anchors(contents.get(target) ?? "").has(anchor))
          fault(`a link leads to ${link}, where there is no such heading`);
      }
      for (const [, code] of OURS.has(file) ? line.matchAll(CODE) : [])
        for (const [word] of code.replaceAll(PATH, "").matchAll(WORD))
          if (!names.has(word)) fault(`nothing is called ${word} (\`${code}\`)`);
    });
  }
  for (const line of faults) console.error(line);
  return faults.length > 0 ? 1 : 0;
}

runMain(async () => main());
