"use strict";

// `npm run api-table`: looks up everything that npm socket.io, engine.io and socket.io-adapter declare (class members,
// events, options, exports) in our declarations and in our objects at run time, and writes docs/API.md; and everything
// that the objects of npm socket.io 2.x have in ours, and writes docs/API-2.x.md. Also writes docs/OPTIONS.md, and the
// table of reasons in docs/fast-paths.md, those of docs/metrics.md, the files that stand in texts of docs/, and the plot of bench/RESULTS.md.
// `--check` writes nothing and fails when a file is not up to date. Either way, it fails when something is missing
// without a reason in scripts/lib/api/exceptions.js or old-reasons.js.

const fs = require("node:fs");
const prettier = require("prettier");
const { bars } = require("../bench/lib/bars");
const { compare } = require("./lib/api/compare");
const { compareOld } = require("./lib/api/old-compare");
const { render, renderOld } = require("./lib/api/render");
const { fromRoot } = require("./lib/paths");
const { renderMetrics } = require("./lib/metrics-table");
const { renderOptions } = require("./lib/options-table");
const { renderReasons } = require("./lib/reasons-table");
const { renderSnippets, snippetsOf } = require("./lib/snippets");
const { note, red, runMain } = require("./lib/ui");

const TABLES = [
  { name: "docs/API.md", compare, render },
  { name: "docs/API-2.x.md", compare: compareOld, render: renderOld },
  { name: "docs/OPTIONS.md", compare: compareNothing, render: renderOptions },
  { name: "docs/fast-paths.md", compare: compareNothing, render: renderReasons },
  { name: "docs/metrics.md", compare: compareNothing, render: renderMetrics },
  { name: "bench/cases.svg", compare: compareNothing, render: renderCases },
  ...fs
    .readdirSync(fromRoot("docs"))
    .map((file) => `docs/${file}`)
    .filter((name) => name.endsWith(".md") && snippetsOf(name).length > 0)
    .map((name) => ({ name, compare: compareNothing, render: () => renderSnippets(name) })),
];
const checking = process.argv.includes("--check");

/** The plot of the cases that were measured last. */
function renderCases() {
  return bars(fs.readFileSync(fromRoot("bench", "RESULTS.md"), "utf8"));
}

/** A table that is made of one of ours, so that nothing can be missing. */
function compareNothing() {
  return { sections: [], missing: [], stale: [] };
}

/**
 * Makes or checks a file.
 * @returns {Promise<boolean>} whether all is well
 */
async function table({ name: file, compare, render }) {
  const { sections, missing, stale } = compare();
  const isText = file.endsWith(".md");
  const text = isText
    ? await prettier.format(render(sections), { parser: "markdown", printWidth: 100 })
    : render(sections);
  for (const { name, what } of missing) console.error(`${red("missing:")} ${name} (${what})`);
  for (const name of stale) console.error(`${red("no longer missing:")} ${name}`);
  const complete = missing.length + stale.length === 0;
  const target = fromRoot(file);
  if (!checking) {
    fs.mkdirSync(fromRoot("docs"), { recursive: true });
    fs.writeFileSync(target, text);
    note(sections.length > 0 ? text.split("\n").find((line) => line.startsWith("**")) : file);
  } else if (!fs.existsSync(target) || fs.readFileSync(target, "utf8") !== text) {
    console.error(`${red(`${file} is not up to date:`)} run npm run api-table`);
    return false;
  }
  return complete;
}

runMain(async () => {
  let failed = false;
  for (const one of TABLES) failed = !(await table(one)) || failed;
  return failed ? 1 : 0;
});
