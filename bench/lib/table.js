"use strict";

// The one table, for the terminal and for RESULTS.md: both are Markdown, padded.

const { medians, ratio, spread } = require("./stats.js");

/** 1234567 → "1,234,567"; small numbers keep `digits` decimals. */
function number(value, digits = 0) {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** Microseconds as milliseconds. */
function milliseconds(us) {
  const ms = us / 1000;
  return number(ms, ms < 10 ? 2 : 0);
}

const columns = [
  "case",
  "server",
  "per second",
  "spread",
  "ratio",
  "CPU µs",
  "JS µs",
  "p50 ms",
  "p99 ms",
  "RSS MiB",
  "KiB/conn",
];

/** What the columns mean, for whoever reads only the results. */
const legend = [
  "per second: messages that came back, deliveries of a broadcast, broadcasts of another node, or connects (median of the rounds).",
  "spread: half of max − min, of the figure that the ratio is made of, relative to its median.",
  "ratio: to the first server; by messages per second, volatile by CPU, idle by memory; more is better.",
  "not there: the server does not have the feature.",
  "CPU µs: of the whole server process per message; JS µs: of its JavaScript thread.",
  "RSS MiB: of the server under that load, on average; KiB/conn: what each idle connection added to a server that had had clients before, once it was quiet and garbage was collected.",
];

/** `text`, or a dash when it means nothing. */
function only(shown, text) {
  return shown ? text : "–";
}

/** Whether a peer does not have what a case needs. */
function lacks(peer, oneCase) {
  return peer.lacks?.includes(oneCase.needs) ?? false;
}

/**
 * Whether a peer is nothing to compare a case with: the floor can do nothing but echo, and a cluster is for those with an
 * adapter.
 */
function isOutside(peer, oneCase) {
  if (oneCase.cluster) return peer.adapter === undefined;
  return Boolean(peer.clustered || (peer.floor && !oneCase.floor));
}

/** One row of figures; a dash for those that mean nothing for the case. */
function row(oneCase, peer, rounds, baseline) {
  if (rounds.length === 0) {
    const why = lacks(peer, oneCase) ? "not there" : "failed";
    return [oneCase.title, peer.title, why, ...columns.slice(3).map(() => "–")];
  }
  const figures = medians(rounds);
  const idle = oneCase.mode === "idle";
  const timed = !idle && figures.p99_us > 0;
  const width = spread(rounds.map((round) => round[oneCase.by]));
  return [
    oneCase.title,
    peer.title,
    only(!idle, number(figures.per_s)),
    only(rounds.length > 1, `±${number(width * 100)} %`),
    only(baseline, `${number(baseline && ratio(oneCase.by, figures, medians(baseline)), 2)}×`),
    only(!idle, number(figures.cpu_us, 2)),
    only(!idle && !peer.native, number(figures.main_us, 2)),
    only(timed, milliseconds(figures.p50_us)),
    only(timed, milliseconds(figures.p99_us)),
    number(figures.rss_mib),
    only(idle, number(figures.kib_per_connection, 1)),
  ];
}

/** A Markdown table whose columns line up; all but the first two to the right. */
function align(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((cells) => [...cells[i]].length)));
  const pad = (text, i) => {
    const blanks = " ".repeat(widths[i] - [...text].length);
    return i < 2 ? text + blanks : blanks + text;
  };
  const lines = rows.map((cells) => `| ${cells.map(pad).join(" | ")} |`);
  const rule = widths.map((width, i) => "-".repeat(width - 1) + (i < 2 ? "-" : ":"));
  lines.splice(1, 0, `| ${rule.join(" | ")} |`);
  return lines.join("\n");
}

/**
 * The table of all results.
 *
 * @param {import("../cases.js").Case[]} cases
 * @param {import("../peers.js").Peer[]} peers the first is the baseline
 * @param {(caseName: string, peerName: string) => object[]} roundsOf
 * @returns {string} Markdown
 */
function table(cases, peers, roundsOf) {
  const rows = cases.flatMap((oneCase) => {
    const first = roundsOf(oneCase.name, peers[0].name);
    const baseline = first.length > 0 ? first : undefined;
    const compared = peers.filter((peer) => !isOutside(peer, oneCase));
    return compared.map((peer) => row(oneCase, peer, roundsOf(oneCase.name, peer.name), baseline));
  });
  return align([columns, ...rows]);
}

module.exports = { align, isOutside, lacks, legend, milliseconds, number, only, table };
