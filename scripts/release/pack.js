"use strict";

// Makes the packages of a release: one with the JavaScript, and one for each binary that is there. They are laid out in
// target/release-npm/packages/ and packed into target/release-npm/.

const fs = require("node:fs");
const path = require("node:path");
const { fromRoot, ROOT } = require("../lib/paths");
const { capture } = require("../lib/run");
const { SetupError, heading } = require("../lib/ui");
const { layOutClient } = require("../lib/client-files");
const { BINARIES, WORK } = require("./build");
const { TARGETS } = require("./targets");

/** @typedef {import("./targets").Target} Target */

const PACKAGES = path.join(WORK, "packages");

/** What only a checkout needs. */
const OF_CHECKOUT = ["private", "scripts", "devDependencies", "napi"];

/**
 * @typedef {object} Packed
 * @property {string} name
 * @property {any} manifest
 * @property {string} folder what is in it
 * @property {string} tarball
 */

/**
 * @returns {{ packed: Packed[], missing: Target[] }} the packages, that with the JavaScript last; and what no binary was built for
 */
function packAll() {
  heading("Packing");
  fs.rmSync(PACKAGES, { recursive: true, force: true });
  const present = TARGETS.filter(({ file }) => fs.existsSync(path.join(BINARIES, file)));
  if (present.length === 0)
    throw new SetupError("There is no binary to be packed.", "Build one: npm run release -- build");
  const laidOut = [...present.map(layOutBinary), layOutMain()];
  return {
    packed: laidOut.map(pack),
    missing: TARGETS.filter((target) => !present.includes(target)),
  };
}

/** @returns {any} package.json as it is published */
function readManifest() {
  const manifest = JSON.parse(fs.readFileSync(fromRoot("package.json"), "utf8"));
  for (const key of OF_CHECKOUT) delete manifest[key];
  return { ...manifest, ...whereabouts() };
}

/** @returns {object} where the sources are: who releases says that, as no file does */
function whereabouts() {
  const { FERROSOCKET_REPOSITORY: url } = process.env;
  if (!url) return {};
  return {
    repository: { type: "git", url: `git+${url}.git` },
    homepage: `${url}#readme`,
    bugs: { url: `${url}/issues` },
  };
}

/**
 * Lays out the package with the JavaScript.
 * @returns {string} its folder
 */
function layOutMain() {
  layOutClient();
  const folder = path.join(PACKAGES, "ferrosocket");
  const manifest = readManifest();
  for (const file of filesOf(ROOT)) {
    if (file.endsWith(".node")) continue; // of this machine, by `npm run build`
    const target = path.join(folder, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(fromRoot(file), target);
  }
  const { version } = manifest;
  // Those that are not for the platform of who installs are left out by npm, pnpm and yarn.
  manifest.optionalDependencies = Object.fromEntries(
    TARGETS.map((target) => [target.package, version]),
  );
  write(folder, manifest);
  return folder;
}

/**
 * Lays out the package with a binary.
 * @param {Target} target
 * @returns {string} its folder
 */
function layOutBinary({ package: name, platform, file, os, cpu, libc }) {
  const folder = path.join(PACKAGES, platform);
  const { version, license, engines, repository, homepage, bugs } = readManifest();
  fs.mkdirSync(folder, { recursive: true });
  fs.copyFileSync(path.join(BINARIES, file), path.join(folder, file));
  fs.copyFileSync(fromRoot("LICENSE"), path.join(folder, "LICENSE"));
  fs.writeFileSync(
    path.join(folder, "README.md"),
    `# ${name}\n\nThe binary of ferrosocket for ${platform}. Install ferrosocket: it brings this one.\n`,
  );
  write(folder, {
    name,
    version,
    description: `The binary of ferrosocket for ${platform}`,
    license,
    main: file,
    files: [file],
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    repository,
    homepage,
    bugs,
  });
  return folder;
}

/** @param {string} folder @param {object} manifest */
function write(folder, manifest) {
  fs.writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** @param {string} folder of a package @returns {Packed} */
function pack(folder) {
  const { filename } = npmPack(folder, ["--pack-destination", WORK]);
  const manifest = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  return { name: manifest.name, manifest, folder, tarball: path.join(WORK, filename) };
}

/** @param {string} folder of a package @returns {string[]} what npm would pack of it */
function filesOf(folder) {
  return npmPack(folder, ["--dry-run"]).files.map(({ path: file }) => file);
}

/**
 * @param {string} folder
 * @param {string[]} flags
 * @returns {{ filename: string, files: { path: string }[] }}
 */
function npmPack(folder, flags) {
  const text = capture("npm", ["pack", folder, "--json", "--ignore-scripts", ...flags]);
  if (text === null) throw new SetupError(`npm can't pack ${folder}.`, `See: npm pack ${folder}`);
  // A list in some versions of npm, an object by package name in others.
  const [entry] = Object.values(JSON.parse(text));
  return { ...entry, filename: path.basename(entry.filename.replace("@", "").replace("/", "-")) };
}

module.exports = { layOutMain, packAll };
