"use strict";

// A load curve as a table and as a plot: what an event costs and how long it takes, by how many there are.

const { chart } = require("./chart.js");
const { medians, spread } = require("./stats.js");
const { align, milliseconds, number, only } = require("./table.js");

/** With whom the others are compared, as far as they are there, and what the column is called. */
const REFERENCES = { "socket.io": "× ws", uwebsockets: "× µWS", epoll: "× floor" };

const legend = [
  "CPU µs: of the whole server process per event; × ws, × µWS, × floor: how many times that of socket.io + ws, µWebSockets.js and the bare epoll loop (less is better).",
  "spread: half of max − min of the rounds' CPU, relative to its median; JS µs: of the JavaScript thread.",
  "late ms: how late the load generator itself was with one event in a hundred. Where that is near the p99, the p99 tells how busy the machine was; where it is many ms, events came in bunches, and the CPU is too low as well.",
];

/** A load curve's figures: of each point, each peer's rounds. */
function table(points, peers, roundsOf) {
  const references = peers.filter(({ name }) => REFERENCES[name]);
  const columns = [
    "events/s",
    "server",
    "CPU µs",
    "spread",
    ...references.map(({ name }) => REFERENCES[name]),
    "JS µs",
    "p50 ms",
    "p99 ms",
    "late ms",
  ];
  const rows = points.flatMap((point) => {
    const rate = number(point.args.rate);
    const figures = (peer) => {
      const rounds = roundsOf(point.name, peer.name);
      return rounds.length > 0
        ? { ...medians(rounds), spread: spread(rounds.map(({ cpu_us }) => cpu_us)), rounds }
        : null;
    };
    const bases = references.map(figures);
    return peers.map((peer) => {
      const mine = figures(peer);
      if (!mine) return [rate, peer.title, "failed", ...columns.slice(3).map(() => "–")];
      return [
        // The generator sends what is due, but a server may not keep up.
        mine.per_s < 0.97 * point.args.rate ? `${rate} (${number(mine.per_s)})` : rate,
        peer.title,
        number(mine.cpu_us, 1),
        only(mine.rounds.length > 1, `±${number(mine.spread * 100)} %`),
        ...bases.map((base) => only(base, number(base && mine.cpu_us / base.cpu_us, 2))),
        only(!peer.native, number(mine.main_us, 1)),
        milliseconds(mine.p50_us),
        milliseconds(mine.p99_us),
        milliseconds(mine.late_us),
      ];
    });
  });
  return align([columns, ...rows]);
}

/** The panels, and where their figures are. */
const PANELS = [
  { title: "CPU µs per event", value: ({ cpu_us }) => cpu_us },
  { title: "latency, median (ms)", value: ({ p50_us }) => p50_us / 1000 },
  { title: "latency, p99 (ms)", value: ({ p99_us }) => p99_us / 1000 },
];

/**
 * The plot of a load curve.
 *
 * @param {import("../cases.js").Case[]} points
 * @param {import("../peers.js").Peer[]} peers
 * @param {(peer: import("../peers.js").Peer) => number} styleOf which colour a peer has
 * @param {(caseName: string, peerName: string) => object[]} roundsOf
 * @returns {string} SVG; empty without two points to be joined
 */
function plot(points, peers, styleOf, roundsOf) {
  const measured = points.filter((point) =>
    peers.some((peer) => roundsOf(point.name, peer.name).length > 0),
  );
  if (measured.length < 2) return "";
  const drawn = peers.filter((peer) =>
    measured.some((point) => roundsOf(point.name, peer.name).length > 0),
  );
  const panels = PANELS.map(({ title, value }) => ({
    title,
    lines: drawn.map((peer) => ({
      name: peer.title,
      style: styleOf(peer),
      strong: peer.name === "ferrosocket",
      dashed: peer.floor,
      points: measured
        .map((point) => ({ point, rounds: roundsOf(point.name, peer.name) }))
        .filter(({ rounds }) => rounds.length > 0)
        .map(({ point, rounds }) => [point.args.rate, value(medians(rounds))]),
    })),
  }));
  return chart(
    panels,
    measured.map((point) => point.args.rate),
  );
}

module.exports = { legend, plot, table };
