"use strict";

// `npm run api-table`: looks up everything that npm socket.io, engine.io and socket.io-adapter declare (class members,
// events, options, exports) in our declarations and in our objects at run time, and writes docs/API.md.
// `--check` writes nothing and fails when the file is not up to date. Either way, it fails when something is missing
// without a reason in scripts/lib/api/exceptions.js.

const fs = require("node:fs");
const prettier = require("prettier");
const { compare } = require("./lib/api/compare");
const { render } = require("./lib/api/render");
const { fromRoot } = require("./lib/paths");
const { note, red, runMain } = require("./lib/ui");

const FILE = fromRoot("docs", "API.md");

runMain(async () => {
  const { sections, missing, stale } = compare();
  const text = await prettier.format(render(sections), { parser: "markdown", printWidth: 100 });
  for (const { name, what } of missing) console.error(`${red("missing:")} ${name} (${what})`);
  for (const name of stale) console.error(`${red("no longer missing:")} ${name}`);
  let failed = missing.length + stale.length > 0;
  if (!process.argv.includes("--check")) {
    fs.mkdirSync(fromRoot("docs"), { recursive: true });
    fs.writeFileSync(FILE, text);
    note(text.split("\n").find((line) => line.startsWith("**")) ?? "");
  } else if (!fs.existsSync(FILE) || fs.readFileSync(FILE, "utf8") !== text) {
    console.error(`${red("docs/API.md is not up to date:")} run npm run api-table`);
    failed = true;
  }
  return failed ? 1 : 0;
});
