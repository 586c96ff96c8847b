"use strict";

// The comparison with npm socket.io 2.x: what each of our entries has of it.

const { fromRoot } = require("../paths");
const { OLD_REASONS } = require("./old-reasons");
const surface = require("./old-surface");
const { emitted, mentioned, scriptsIn } = require("./scripts");
const { specimens } = require("./specimens");

/**
 * @typedef {object} OldRow
 * @property {string} name as it is shown
 * @property {string} theirs what it is there
 * @property {[string, string]} ours what it is in the main entry and in that for 2.x; "" when it is not there
 * @property {string} remark
 */

/** The names of our specimens, by those of the classes. */
const OURS = {
  Server: "server",
  Namespace: "namespace",
  ParentNamespace: "parentNamespace",
  Socket: "socket",
  Client: "client",
  Adapter: "adapter",
};
const PRIVATE = "Private there.";
/** An option without a default. */
const ACCEPTED = "accepted";

const scripts = (...folders) => folders.flatMap((folder) => scriptsIn(fromRoot(folder)));

/** Gathers rows, and asks the reasons about those that are not what they were. */
class OldComparison {
  constructor() {
    /** @type {{ title: string, rows: OldRow[] }[]} */
    this.sections = [];
    /** @type {{ name: string, what: string }[]} */
    this.missing = [];
    this.unused = new Set(Object.keys(OLD_REASONS));
    this.theirs = surface.oldSpecimens();
    this.ours = [specimens("index.js"), specimens("v2/index.js")];
  }

  /**
   * @param {string} key
   * @param {string} name
   * @param {string} theirs
   * @param {string[]} ours
   * @param {boolean} [isPrivate]
   * @returns {OldRow}
   */
  row(key, name, theirs, ours, isPrivate = false) {
    const [main, v2] = ours;
    if (main === theirs && v2 === theirs) return { name, theirs, ours: [main, v2], remark: "" };
    const reason = OLD_REASONS[key];
    this.unused.delete(key);
    if (reason === undefined && !isPrivate) {
      const what = `${theirs} there, ${main || "nothing"} in the main entry, ${v2 || "nothing"} in v2`;
      this.missing.push({ name: key, what });
    }
    return { name, theirs, ours: [main, v2], remark: reason ?? PRIVATE };
  }

  classes() {
    for (const [title, specimen] of Object.entries(OURS)) {
      const object = this.theirs[title];
      const hidden = surface.privateMethods(title === "ParentNamespace" ? "Namespace" : title);
      const rows = surface.membersOf(object).map((name) => {
        const theirs = surface.shapeOf(object, name);
        const ours = this.ours.map((all) => surface.shapeOf(all[specimen], name));
        const isPrivate = name.startsWith("_") || hidden.has(name);
        const shown = theirs === "method" ? `${name}()` : name;
        return this.row(`${title}.${name}`, shown, theirs, ours, isPrivate);
      });
      this.sections.push({ title: `Class ${title}`, rows });
    }
  }

  statics() {
    for (const title of ["Server", "Namespace", "Socket"]) {
      const theirs = this.theirs[title].constructor;
      const rows = Object.keys(theirs).map((name) => {
        const holders = this.ours.map((all) => all[OURS[title]].constructor);
        // what the module itself has
        if (title === "Server") holders[0] = require(fromRoot("index.js"));
        const ours = holders.map((holder) => surface.shapeOf(holder, name));
        return this.row(`static ${title}.${name}`, name, surface.shapeOf(theirs, name), ours);
      });
      this.sections.push({ title: `Properties of ${title} itself`, rows });
    }
  }

  events() {
    const [main, v2] = [emitted(scripts("lib")), emitted(scripts("lib", "v2"))];
    for (const title of ["Namespace", "Socket"]) {
      const rows = [...emitted([surface.SCRIPTS[title]])].map((name) => {
        const ours = [main, v2].map((names) => (names.has(name) ? "emitted" : ""));
        return this.row(`event ${title}: ${name}`, name, "emitted", ours);
      });
      this.sections.push({ title: `Events of ${title}`, rows });
    }
  }

  options() {
    const used = [mentioned(scripts("lib")), mentioned(scripts("lib", "v2"))];
    const servers = [this.theirs.Server, ...this.ours.map(({ server }) => server)];
    const engines = servers.map(({ eio }) => ({ ...eio.opts, ...eio }));
    const rows = surface.oldOptions().map((name) => {
      const [theirs, ...ours] = engines.map((engine) => show(engine[name]));
      const shown = ours.map((value, i) => {
        if (!used[i].has(name)) return "";
        return theirs === ACCEPTED ? ACCEPTED : value;
      });
      return this.row(`option ${name}`, name, theirs, shown);
    });
    this.sections.push({ title: "Options, and the defaults that the engine has", rows });
  }
}

/** @param {unknown} value a default */
function show(value) {
  if (typeof value === "function") return "a function";
  return value === undefined ? ACCEPTED : JSON.stringify(value);
}

/**
 * Compares everything.
 *
 * @returns {{ sections: { title: string, rows: OldRow[] }[], missing: { name: string, what: string }[], stale: string[] }}
 *   `missing` without a reason, and reasons that are `stale`
 */
function compareOld() {
  const comparison = new OldComparison();
  comparison.statics();
  comparison.classes();
  comparison.events();
  comparison.options();
  const { sections, missing, unused } = comparison;
  return { sections, missing, stale: [...unused] };
}

module.exports = { compareOld };
