"use strict";

// The comparison itself: rows of what upstream has and what stands for it here.

const { fromRoot } = require("../paths");
const { Declarations } = require("./declarations");
const { REASONS } = require("./exceptions");
const { CLASSES, EVENTS, EXPORTS, OPTIONS, SCOPED } = require("./pairs");
const { emitted, mentioned, scopes, scriptsIn } = require("./scripts");
const { defaults, specimens } = require("./specimens");

/**
 * @typedef {object} Row
 * @property {string} name as it is shown
 * @property {string} ours what stands for it here; "" when nothing does
 * @property {string} remark
 */

const upstream = (file) => `node_modules/${file}`;
const OPTION_FILES = ["node_modules/socket.io/dist/index.d.ts", "types/options.d.ts"];
const ARROW = "→";

/** Gathers rows, and asks the exceptions about those that have no counterpart. */
class Comparison {
  constructor() {
    const files = [...CLASSES.flatMap(([, a, , b]) => [upstream(a), b]), ...OPTION_FILES];
    files.push(...EXPORTS.flatMap(([, a, b]) => [upstream(a), b]));
    this.declarations = new Declarations([...new Set(files)]);
    /** @type {{ title: string, rows: Row[] }[]} */
    this.sections = [];
    /** @type {{ name: string, what: string }[]} */
    this.missing = [];
    this.unused = new Set(Object.keys(REASONS));
  }

  /**
   * @param {string} key
   * @param {string} name
   * @param {string} ours
   * @param {string[]} lacks
   * @returns {Row}
   */
  row(key, name, ours, lacks) {
    if (lacks.length === 0) return { name, ours, remark: "" };
    const reason = REASONS[key];
    this.unused.delete(key);
    const what = `missing in ${lacks.join(" and ")}`;
    if (reason === undefined) this.missing.push({ name: key, what });
    return { name, ours: "", remark: reason ?? what };
  }

  classes() {
    const objects = specimens();
    for (const [title, file, name, ourFile, ourName, specimen] of CLASSES) {
      const { declarations } = this;
      const theirs = declarations.members(declarations.find(upstream(file), name));
      const ours = declarations.members(declarations.find(ourFile, ourName));
      const object = objects[specimen];
      const rows = theirs.map(({ name, kind, optional, isStatic }) => {
        const declared = ours.find((one) => one.name === name && one.isStatic === isStatic);
        const holder = isStatic ? object.constructor : object;
        const lacks = [];
        if (declared === undefined) lacks.push("declarations");
        if (kind === "method" ? typeof holder[name] !== "function" : !(name in holder || optional))
          lacks.push("objects");
        const shown = `${isStatic ? "static " : ""}${name}${kind === "method" ? "()" : ""}`;
        return this.row(`${title}.${name}`, shown, declared?.kind ?? "", lacks);
      });
      this.add(`Class ${title}`, rows);
    }
  }

  events() {
    for (const [title, files, ourPlaces] of EVENTS) {
      const theirs = emitted(files.map((file) => fromRoot(upstream(file))));
      const ours = emitted(ourPlaces.flatMap((place) => scriptsIn(fromRoot("lib", place))));
      const rows = [...theirs].map((name) =>
        this.row(`${title}: ${name}`, name, "emitted", ours.has(name) ? [] : ["lib"]),
      );
      this.add(`Events of ${title}`, rows);
    }
  }

  options() {
    const used = mentioned(scriptsIn(fromRoot("lib")));
    const [theirFile, ourFile] = OPTION_FILES;
    const theirType = this.declarations.find(theirFile, "ServerOptions");
    const ourType = this.declarations.find(ourFile, "ServerOptions");
    const theirDefaults = defaults("socket.io");
    const ourDefaults = defaults(fromRoot("index.js"));
    for (const [title, path] of OPTIONS) {
      const ours = new Set(this.declarations.options(ourType, path));
      const rows = this.declarations.options(theirType, path).map((name) => {
        const lacks = [];
        if (!ours.has(name)) lacks.push("declarations");
        // all of `cors` goes to the package of that name, as it is
        if (!used.has(name) && title !== "cors") lacks.push("lib");
        const [before, now] = [theirDefaults, ourDefaults].map((all) =>
          path.length === 0 ? show(all[name]) : "",
        );
        if (before !== now) lacks.push(`defaults (${before} ${ARROW} ${now})`);
        return this.row(`option ${[...path, name].join(".")}`, name, before || "accepted", lacks);
      });
      this.add(`Options: ${title}`, rows);
    }
  }

  debugScopes() {
    const ours = scopes(scriptsIn(fromRoot("lib")));
    const theirs = SCOPED.flatMap((directory) => [
      ...scopes(scriptsIn(fromRoot(upstream(directory)))),
    ]);
    const rows = [...new Set(theirs)].sort().map((name) => {
      const lacks = ours.has(name) ? [] : ["lib"];
      return this.row(`scope ${name}`, name, "written", lacks);
    });
    this.add("Debug scopes", rows);
  }

  exported() {
    for (const [title, file, ourFile, script] of EXPORTS) {
      const ours = this.declarations.exports(ourFile);
      const values = require(fromRoot(script));
      const oracle = require(fromRoot(upstream(file.replace(".d.ts", ".js"))));
      const rows = [...this.declarations.exports(upstream(file)).keys()].map((name) => {
        const lacks = ours.has(name) || ours.has("export=") ? [] : ["declarations"];
        if (name in oracle && !(name in values)) lacks.push("the module");
        return this.row(`${title}: ${name}`, name, name in oracle ? "value" : "type", lacks);
      });
      this.add(`Exports of ${title}`, rows);
    }
  }

  /**
   * @param {string} title
   * @param {Row[]} rows
   */
  add(title, rows) {
    this.sections.push({ title, rows });
  }
}

/** @param {unknown} value a default */
function show(value) {
  if (typeof value === "function") return "a function";
  return value === undefined ? "not set" : JSON.stringify(value);
}

/**
 * Compares all that pairs.js lists.
 *
 * @returns {{ sections: { title: string, rows: Row[] }[], missing: { name: string, what: string }[], stale: string[] }}
 *   `missing` without a reason, and exceptions that are `stale`
 */
function compare() {
  const comparison = new Comparison();
  comparison.classes();
  comparison.events();
  comparison.options();
  comparison.debugScopes();
  comparison.exported();
  const { sections, missing, unused } = comparison;
  return { sections, missing, stale: [...unused] };
}

module.exports = { compare };
