"use strict";

// The site of the documents, made by VitePress of the Markdown of this repository (site/pages.js), and of the declarations.
//
//   npm run docs          builds it, into site/.work/dist; a link that leads nowhere fails
//   npm run docs:dev      serves it, and again whenever a text is saved
//
// The texts are written to be read in the repository. Their links are put right while they are copied: a text that is on the site is
// linked there, an image is copied, and any other file is linked in the repository, if FERROSOCKET_REPOSITORY says where that is.

const fs = require("node:fs");
const path = require("node:path");

const { ensureDependencies } = require("./lib/deps");
const { fromRoot } = require("./lib/paths");
const { run } = require("./lib/run");
const { heading, note, red, runMain } = require("./lib/ui");
const { PAGES } = require("../site/pages");

const SITE = fromRoot("site");
/** What VitePress reads: all of it is made here. */
const SOURCE = path.join(SITE, ".work", "source");
const REPOSITORY = process.env.FERROSOCKET_REPOSITORY;
/** The part of the site that TypeDoc makes. */
const REFERENCE = "reference";

const LINK = /(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g;
const FENCE = /^\s*(```|~~~)/;
const byFile = new Map(PAGES.map(({ file, page }) => [file, page]));

/**
 * A link as it is to be on the site.
 * @param {string} from the file that it stands in
 * @param {[string, string, string, string]} link all of it, "!" of an image, its text, where it leads
 */
function relink(from, [all, image, text, to]) {
  if (/^[a-z]+:/.test(to) || to.startsWith("#")) return all;
  const [name, anchor] = to.split("#");
  const file = path.posix.join(path.posix.dirname(from), name);
  const page = byFile.get(file);
  if (page !== undefined)
    return `[${text}](/${page === "index" ? "" : page}${anchor ? `#${anchor}` : ""})`;
  if (name.startsWith(`/${REFERENCE}/`)) return all;
  if (image) {
    const target = path.join(SOURCE, "public", file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(fromRoot(file), target);
    return `![${text}](/${file})`;
  }
  return REPOSITORY ? `[${text}](${REPOSITORY}/blob/main/${to})` : text;
}

/** Copies a text to where VitePress reads it. @param {import("../site/pages").Page} page */
function stage({ file, page }) {
  let isCode = false;
  const lines = fs
    .readFileSync(fromRoot(file), "utf8")
    .split("\n")
    .map((line) => {
      if (FENCE.test(line)) isCode = !isCode;
      return isCode ? line : line.replaceAll(LINK, (...found) => relink(file, found.slice(0, 4)));
    });
  const target = path.join(SOURCE, `${page}.md`);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, lines.join("\n"));
}

/** What is not a text: the configuration, the theme, and what TypeDoc makes of the declarations. */
async function stageRest() {
  fs.cpSync(path.join(SITE, "vitepress"), path.join(SOURCE, ".vitepress"), { recursive: true });
  heading("The declarations (TypeDoc)");
  return run(process.execPath, [
    path.join(SITE, "node_modules/typedoc/bin/typedoc"),
    "--options",
    path.join(SITE, "typedoc.json"),
    "--out",
    path.join(SOURCE, REFERENCE),
  ]);
}

/** Serves the site, and copies what is saved. */
async function develop() {
  const folders = new Set(PAGES.map(({ file }) => path.posix.dirname(file)));
  for (const folder of folders)
    fs.watch(fromRoot(folder), (_, name) => {
      const file = path.posix.join(folder, name ?? "");
      const page = byFile.get(file);
      if (page !== undefined && fs.existsSync(fromRoot(file))) stage({ file, page });
    });
  return vitepress("dev");
}

/** @param {string} command @returns {Promise<number>} its exit code */
function vitepress(command) {
  const program = path.join(SITE, "node_modules/vitepress/bin/vitepress.js");
  return run(process.execPath, [program, command, SOURCE], { cwd: SITE });
}

runMain(async () => {
  const command = process.argv[2] ?? "build";
  await ensureDependencies(SITE);
  fs.rmSync(SOURCE, { recursive: true, force: true });
  for (const page of PAGES) stage(page);
  const failed = await stageRest();
  if (failed) {
    console.error(red("TypeDoc does not understand the declarations: see above."));
    return failed;
  }
  heading("The site (VitePress)");
  if (command === "dev") return develop();
  const code = await vitepress("build");
  if (code === 0) note("it is in site/.work/dist");
  return code;
});
