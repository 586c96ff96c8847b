"use strict";

// RESULTS.md: a section for each kind of figures, each with the run that it is of. A run replaces the sections that it has
// figures for, and leaves the others as they are.

const HEAD = "# Results";
/** Where a section begins. */
const BEGIN = /^(?=## )/m;

/** A Markdown list. */
function list(lines) {
  return lines.map((line) => `- ${line}`).join("\n");
}

/** The title of a section. */
function titleOf(section) {
  return section.slice("## ".length, section.indexOf("\n"));
}

/**
 * @param {string} old the page as it is; empty if there is none
 * @param {{ title: string, parts: string[] }[]} sections the new ones
 * @param {string[]} order the titles of all that there may be
 * @returns {string} the page with them
 */
function update(old, sections, order) {
  const kept = old.split(BEGIN).slice(1);
  const all = new Map(kept.map((section) => [titleOf(section), section.trimEnd()]));
  for (const { title, parts } of sections) all.set(title, [`## ${title}`, ...parts].join("\n\n"));
  const place = (title) => (order.includes(title) ? order.indexOf(title) : order.length);
  const titles = [...all.keys()].toSorted((a, b) => place(a) - place(b));
  return `${[HEAD, ...titles.map((title) => all.get(title))].join("\n\n")}\n`;
}

module.exports = { list, update };
