"use strict";

// The facade has floors, a folder each: what stands on one names only what stands on it or below. Types count, too: a
// file that says in a comment whose object it is given depends on that file as one that requires it.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const ts = require("typescript");

const LIB = path.join(__dirname, "..", "lib");

/** The floors, from the lowest. */
const FLOORS = ["base", "node", "codec", "border", "http", "ingress", "engine", "api", "redis"];

/** The floors that know what they are given: no type there is `any`. */
const TYPED = new Set(["node", "ingress", "api"]);

/** The floor whose files are leaves, required one by one; the others have a face. */
const LEAVES = "base";

/**
 * @typedef {object} Arrow
 * @property {string} from a file, such as "api/socket.js"
 * @property {string} to likewise
 * @property {boolean} isType whether it is named in a comment only
 */

/** @type {string[]} */
const files = fs
  .readdirSync(LIB, { recursive: true })
  .map((file) => String(file).split(path.sep).join("/"))
  .filter((file) => file.endsWith(".js"));

/** @type {Arrow[]} */
const arrows = files.flatMap((from) => {
  const source = fs.readFileSync(path.join(LIB, from), "utf8");
  return [...source.matchAll(/(require|import)\("(\.[^"]*)"\)/g)].map(([, how, target]) => {
    const file = path.posix.join(path.posix.dirname(from), target);
    const to = [`${file}.js`, `${file}/index.js`, file].find((name) => files.includes(name));
    return { from, to: to ?? file, isType: how === "import" };
  });
});

/** @param {string} file */
const folderOf = (file) => file.split("/")[0];

/** @param {string} file @returns {number} -1: it stands on no floor */
const floorOf = (file) => FLOORS.indexOf(folderOf(file));

const inLib = arrows.filter(({ to }) => !to.startsWith(".."));

test("each file of lib stands on a floor, and each floor has a face", () => {
  for (const file of files) assert.ok(floorOf(file) >= 0 && file.split("/").length === 2, file);
  for (const floor of FLOORS.filter((name) => name !== LEAVES))
    assert.ok(files.includes(`${floor}/index.js`), floor);
});

test("no file names one of a higher floor, in its code or in its types", () => {
  const up = inLib.filter(({ from, to }) => floorOf(to) > floorOf(from));
  assert.deepEqual(up, []);
});

test("what a floor offers to others is in its face", () => {
  const past = inLib.filter(
    ({ from, to, isType }) =>
      !isType &&
      folderOf(from) !== folderOf(to) &&
      folderOf(to) !== LEAVES &&
      !to.endsWith("/index.js"),
  );
  assert.deepEqual(past, []);
  const ownFace = inLib.filter(
    ({ from, to }) => folderOf(from) === folderOf(to) && to.endsWith("/index.js"),
  );
  assert.deepEqual(ownFace, []);
});

test("lib has no circles, be it of types", () => {
  const done = new Set();
  const visit = (/** @type {string} */ file, /** @type {string[]} */ trail) => {
    assert.ok(!trail.includes(file), `circle: ${[...trail, file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const { from, to } of inLib) if (from === file) visit(to, [...trail, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

test("nothing in lib requires what stands on it", () => {
  const out = arrows.filter(({ to }) => to.startsWith("..")).map(({ to }) => to);
  assert.deepEqual(
    [...new Set(out)].sort(),
    ["../native", "../native/border", "../package.json"].filter((name) => out.includes(name)),
  );
});

test("no class has more than two ancestors of ours", () => {
  /** @type {Map<string, string | undefined>} what each class extends; the names begin with the folder */
  const bases = new Map();
  for (const folder of ["lib", "v2"]) {
    const directory = path.join(LIB, "..", folder);
    for (const file of fs.readdirSync(directory, { recursive: true }).map(String)) {
      if (!file.endsWith(".js")) continue;
      const source = fs.readFileSync(path.join(directory, file), "utf8");
      const fromLib = new Map(
        [...source.matchAll(/(\w+)(?:: (\w+))?(?=[^{}]*\} = require\("\.\.\/lib\b)/g)].map(
          ([, name, alias = name]) => [alias, `lib ${name}`],
        ),
      );
      for (const [, name, base] of source.matchAll(/^class (\w+)(?: extends (\w+))? \{/gm))
        bases.set(`${folder} ${name}`, base && (fromLib.get(base) ?? `${folder} ${base}`));
    }
  }
  const ancestors = (/** @type {string} */ name) => {
    const base = bases.get(name);
    return base !== undefined && bases.has(base) ? 1 + ancestors(base) : 0;
  };
  assert.equal(ancestors("v2 ParentNamespace"), 2);
  const deep = [...bases.keys()].filter((name) => ancestors(name) > 2);
  assert.deepEqual(deep, []);
});

/**
 * @param {string} file
 * @returns {string[]} its lines in which a type is, or has in it, `any`
 */
function anysOf(file) {
  const text = fs.readFileSync(path.join(LIB, file), "utf8");
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  /** @type {string[]} */
  const found = [];
  const visit = (/** @type {ts.Node} */ node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      found.push(`${file}:${line + 1}`);
    }
    node.getChildren(source).forEach(visit); // comments are among them
  };
  visit(source);
  return found;
}

test("no type of a floor that knows what it is given is `any`", () => {
  assert.ok(anysOf("base/errors.js").length + anysOf("base/options.js").length > 0); // it would be found
  const typed = files.filter((file) => TYPED.has(folderOf(file)));
  assert.deepEqual(typed.flatMap(anysOf), []);
  // what has no type is nowhere taken for `any`
  const config = ts.readConfigFile(path.join(LIB, "..", "tsconfig.json"), ts.sys.readFile).config;
  assert.equal(config.compilerOptions.strict, true);
  assert.equal(config.compilerOptions.noImplicitAny, undefined);
});

test("the way in asks no object for its class", () => {
  const asking = files.filter(
    (file) =>
      folderOf(file) === "ingress" &&
      /\binstanceof\b/.test(fs.readFileSync(path.join(LIB, file), "utf8")),
  );
  assert.deepEqual(asking, []);
});

test("descriptors of properties and the handlers of proxies inherit nothing", () => {
  const literal = /(?:\.define(?:Property|Properties)|new Proxy)\([^{}]*(?<!\bbare\(\s*)\{/;
  assert.match("Object.defineProperty(a, b, { get })", literal); // it would be found
  const open = files.filter((file) => literal.test(fs.readFileSync(path.join(LIB, file), "utf8")));
  assert.deepEqual(open, []);
});
