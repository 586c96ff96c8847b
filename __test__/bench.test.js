"use strict";

// What the benchmark makes of its figures: the page with its sections, and the plots.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { cases, curves } = require("../bench/cases.js");
const { bars } = require("../bench/lib/bars.js");
const { chart } = require("../bench/lib/chart.js");
const curve = require("../bench/lib/curve.js");
const { update } = require("../bench/lib/page.js");
const { peers: all } = require("../bench/peers.js");

/** Those that are measured by themselves. */
const peers = all.filter(({ clustered }) => !clustered);

describe("the page of results", () => {
  const order = ["Cases", "Curve"];

  it("begins with what there is", () => {
    const page = update("", [{ title: "Curve", parts: ["new", "figures"] }], order);
    assert.equal(page, "# Results\n\n## Curve\n\nnew\n\nfigures\n");
  });

  it("replaces a section and keeps the others", () => {
    const old = "# Results\n\n## Curve\n\nold\n\n## Other\n\nolder\n";
    const sections = [
      { title: "Curve", parts: ["new"] },
      { title: "Cases", parts: ["first"] },
    ];
    assert.equal(
      update(old, sections, order),
      "# Results\n\n## Cases\n\nfirst\n\n## Curve\n\nnew\n\n## Other\n\nolder\n",
    );
  });
});

/** What the generator tells of a run, as far as it is looked at. */
const figure = (cpu_us) => ({
  per_s: 40_000,
  cpu_us,
  main_us: 1,
  p50_us: 80,
  p99_us: 900,
  late_us: 60,
});

/** As if all but one had been measured. */
const roundsOf = (caseName, peerName) => {
  const place = peers.findIndex(({ name }) => name === peerName);
  return peerName === "bun" ? [] : [figure(10 + place), figure(12 + place)];
};

describe("a load curve", () => {
  const points = cases.filter((point) => point.curve === curves[0].name);
  it("is a table with all rates and servers", () => {
    const rows = curve.table(points, peers, roundsOf).split("\n");
    assert.equal(rows.length, 2 + points.length * peers.length);
    assert.match(rows[2], /socket\.io \+ ws .* 11\.0 .* ±9 % .* 1\.00 /);
    assert.match(
      rows.find((row) => row.includes("Bun")),
      /failed/,
    );
  });

  it("is a plot with a line for each server that was measured", () => {
    const svg = curve.plot(points, peers, (peer) => peers.indexOf(peer), roundsOf);
    assert.equal(svg.match(/<polyline points="[^"]+ /g).length, 3 * (peers.length - 1));
    assert.doesNotMatch(svg, /NaN|undefined|Bun/);
  });

  it("is not plotted from one point", () => {
    assert.equal(
      curve.plot(points.slice(0, 1), peers, () => 0, roundsOf),
      "",
    );
  });
});

/** A line of the table of the cases. */
const row = (server, ratio) => `| echo 4 KB, 100 × 4 | ${server} | 1,000 | ±1 % | ${ratio} | 1 |`;

it("the cases are plotted as bars, with a bar for each server that was measured", () => {
  const page = [row("socket.io + ws", "1.00×"), row("other", "2.50×"), row("third", "–")];
  const svg = bars(page.join("\n"));
  assert.deepEqual(
    Array.from(svg.matchAll(/class="s\d" x="260" y="\d+" width="([\d.]+)"/g), ([, width]) => width),
    ["193.3", "483.3"],
  );
  assert.doesNotMatch(svg, /NaN|undefined|third/);
  assert.equal(bars("nothing"), "");
});

it("a plot shows texts as they are", () => {
  const line = {
    name: "a < b & c",
    style: 0,
    points: [
      [1000, 1],
      [2000, 1],
    ],
  };
  assert.match(chart([{ title: "t", lines: [line] }], [1000, 2000]), /a &#60; b &#38; c/);
});
