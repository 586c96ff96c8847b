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
    for (const [peer, variant] of pairs(trial, peers)) {
      if (signal.aborted) throw new Error("interrupted");
      const title = variant.title === undefined ? peer.title : `${peer.title}, ${variant.title}`;
      const redis = await trial.redis?.();
      const say = (text) => console.error(`${trial.name} · ${title} · ${text}`);
      let running;
      try {
        const start = (port) => server.start(peer, { ...trial, ...variant }, port);
        running = await start(redis?.port);
        rows.push([title, ...(await trial.run({ ...running, redis }, say, () => start()))]);
      } catch (error) {
        problems.push(`${trial.name} · ${title}: ${error.message}`);
        rows.push([title, "failed", ...trial.columns.slice(1).map(() => "–")]);
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

/** Each peer of a trial, with each variant of its server that is for that peer. */
function pairs(trial, peers) {
  const { lacking = [], variants = [{}] } = trial;
  return peers
    .filter((peer) => !lacking.includes(peer.name) && isMeant(peer, trial))
    .flatMap((peer) =>
      variants
        .filter(({ only }) => only === undefined || only === peer.name)
        .map((variant) => [peer, variant]),
    );
}

module.exports = { tryAll };
