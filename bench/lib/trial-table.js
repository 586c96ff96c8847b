"use strict";

// Runs trials and makes their tables.

const server = require("./server.js");
const { align } = require("./table.js");

/**
 * @param {import("../peers.js").Peer} peer
 * @param {import("../trials/index.js").Trial} trial
 * @returns {boolean} whether it is one of those that a trial is for
 */
function isMeant({ adapter, clustered }, { cluster }) {
  return cluster ? adapter !== undefined : !clustered;
}

/**
 * All chosen trials on all peers, with progress on stderr.
 *
 * @param {import("../trials/index.js").Trial[]} trials
 * @param {import("../peers.js").Peer[]} peers
 * @param {string[]} problems what goes wrong is added
 * @param {AbortSignal} signal
 * @returns {Promise<string>} Markdown; empty without trials
 */
async function tryAll(trials, peers, problems, signal) {
  const parts = [];
  for (const trial of trials) {
    const rows = [["server", ...trial.columns]];
    for (const peer of peers) {
      if (signal.aborted) throw new Error("interrupted");
      if (trial.lacking?.includes(peer.name) || !isMeant(peer, trial)) continue;
      const redis = await trial.redis?.();
      const say = (text) => console.error(`${trial.name} · ${peer.title} · ${text}`);
      let running;
      try {
        running = await server.start(peer, trial, redis?.port);
        const start = () => server.start(peer, trial);
        rows.push([peer.title, ...(await trial.run({ ...running, redis }, say, start))]);
      } catch (error) {
        problems.push(`${trial.name} · ${peer.title}: ${error.message}`);
        rows.push([peer.title, "failed", ...trial.columns.slice(1).map(() => "–")]);
      } finally {
        await running?.stop();
        await redis?.stop();
      }
    }
    const legend = trial.legend.map((line) => `- ${line}`).join("\n");
    parts.push(`${trial.title}:`, align(rows), legend);
  }
  return parts.join("\n\n");
}

module.exports = { tryAll };
