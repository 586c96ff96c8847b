"use strict";

// `npm run release -- build [target…]`: the binaries (without a target: that of this machine), in target/release-npm/binaries/
// `npm run release -- pack`: the packages, for the binaries that are there, in target/release-npm/; `--complete`: all have to be
// `npm run release -- try`: installs them into an empty app, with scripts off, and runs that on each Node.js
// `npm run release:dry [-- target…]`: all of it; publishes nothing
// Published is what `pack` has made, by .github/workflows/release.yml.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { ensureDependencies } = require("./lib/deps");
const { ensureNodes, withNode } = require("./lib/node");
const { run } = require("./lib/run");
const { SetupError, bold, heading, note, runMain } = require("./lib/ui");
const { build } = require("./release/build");
const { checkAll } = require("./release/check");
const { packAll } = require("./release/pack");
const { serveRegistry } = require("./release/registry");
const { TARGETS } = require("./release/targets");

/** On which the packages are tried. */
const NODES = ["20", "22", "24", "26"];

/** @param {string[]} triples @returns {import("./release/targets").Target[]} */
function chooseTargets(triples) {
  const { addonPath } = require("./lib/addon");
  const own = (target) => target.file === path.basename(addonPath());
  if (triples.length === 0) return TARGETS.filter(own);
  return triples.map((triple) => {
    const target = TARGETS.find((known) => known.triple === triple);
    if (target) return target;
    const known = TARGETS.map((one) => `- ${one.triple}`).join("\n");
    throw new SetupError(`There is no target ${triple}.`, known);
  });
}

/** Packs, and says what it has made. @param {boolean} [complete] whether all binaries have to be there */
function packAndCheck(complete = false) {
  const { packed, missing } = packAll();
  if (complete && missing.length > 0)
    throw new SetupError(
      "Not all binaries are there.",
      missing.map(({ file }) => `- ${file}`).join("\n"),
    );
  for (const line of checkAll(packed)) note(line);
  for (const { package: name } of missing) note(`${name}: not built here`);
  if (!process.env.FERROSOCKET_REPOSITORY)
    note(
      "no repository, homepage, bugs: FERROSOCKET_REPOSITORY does not say where the sources are",
    );
  return packed;
}

/**
 * Installs the packages into an empty app and runs that.
 * @param {import("./release/pack").Packed[]} packed
 * @returns {Promise<number>}
 */
async function tryAll(packed) {
  const nodes = await ensureNodes(NODES);
  const registry = await serveRegistry(packed);
  const app = fs.mkdtempSync(path.join(os.tmpdir(), "ferrosocket-release-"));
  try {
    heading("Installing into an empty app, with scripts off");
    fs.writeFileSync(path.join(app, "package.json"), '{ "private": true }\n');
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", `--registry=${registry.url}`];
    const wanted = ["socket.io@npm:ferrosocket", "socket.io-client@4"];
    // A cache of its own: npm would keep our version of today for tomorrow.
    const cache = `--cache=${path.join(app, ".npm")}`;
    if ((await run("npm", ["install", ...flags, cache, ...wanted], { cwd: app })) !== 0)
      throw new SetupError("npm could not install the packages.", "Its message is above.");
    note(`fetched: ${registry.asked.join(", ")}`);
    fs.copyFileSync(path.join(__dirname, "release", "smoke.js"), path.join(app, "smoke.js"));
    let failed = 0;
    for (const node of nodes) {
      heading(`On Node.js ${node.version}`);
      const options = { cwd: app, env: withNode(node) };
      failed += await run(node.path, ["smoke.js"], options);
      const doctor = path.join("node_modules", "socket.io", "bin", "ferrosocket.js");
      failed += await run(node.path, [doctor, "doctor"], options);
    }
    return failed > 0 ? 1 : 0;
  } finally {
    registry.close();
    fs.rmSync(app, { recursive: true, force: true });
  }
}

runMain(async () => {
  const [command, ...rest] = process.argv.slice(2);
  const triples = rest.filter((word) => !word.startsWith("--"));
  await ensureDependencies();
  if (command === "build" || command === "dry")
    for (const target of chooseTargets(triples)) await build(target);
  if (command === "build") return 0;
  if (command === "pack") {
    packAndCheck(rest.includes("--complete"));
    return 0;
  }
  if (command === "try" || command === "dry") {
    const code = await tryAll(packAndCheck());
    if (code === 0) console.log(`\n${bold("The packages work.")} Nothing was published.`);
    return code;
  }
  throw new SetupError(
    `npm run release does not know "${command ?? ""}".`,
    "- npm run release -- build [target…]\n- npm run release -- pack\n- npm run release -- try\n- npm run release:dry",
  );
});
