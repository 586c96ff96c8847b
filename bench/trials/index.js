"use strict";

// What is told by a script rather than measured under load. Each runs once per server, only when it is named.
//
// A trial: `name` (for --case), `title`, `app` and `options` as in cases.js, `columns`, and `run(server, say)`, which
// gives the cells of a row. What the columns mean is in `legend`.

const blocked = require("./blocked.js");
const soak = require("./soak.js");

/**
 * @typedef {{ port: number, pid: number }} Running
 * @typedef {{ name: string, title: string, app?: string, options?: object, columns: string[], legend: string[],
 *   lacking?: string[], run: (server: Running, say: (text: string) => void) => Promise<string[]> }} Trial
 */

/** @type {Trial[]} */
const trials = [blocked, soak];

module.exports = { trials };
