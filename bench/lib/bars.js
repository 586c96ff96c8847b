"use strict";

// The cases of RESULTS.md as bars, beside those of the first server: `cases.svg`.

const { label, picture } = require("./chart");

/** The cases that are shown, in order: those where we are best, and those where we are not. */
const SHOWN = [
  "echo 32 B, 100 × 4",
  "echo 4 KB, 100 × 4",
  "ack 32 B, 100 × 4",
  "binary 1 KB both ways, 100 × 4",
  "binary 64 KB both ways, 100 × 1",
  "echo 32 B over polling, 100 × 1",
  "io.emit to 1,000, 4 outstanding",
  "io.to(room), 200 rooms × 50",
  "connects over WebSocket, 50 at a time",
  "connects over polling, 50 at a time",
];
const BAR = { height: 9, gap: 2 };
const LEFT = 260;
const RIGHT = 60;
const WIDTH = 900;
const TOP = 44;

/**
 * The figures of a page.
 *
 * @param {string} page RESULTS.md
 * @returns {{ name: string, servers: { name: string, ratio: number }[] }[]}
 */
function read(page) {
  const cases = new Map();
  for (const line of page.split("\n")) {
    const [, name, server, , , ratio] = line.split("|").map((cell) => cell.trim());
    if (!SHOWN.includes(name) || !/^[\d.]+×$/.test(ratio)) continue;
    const servers = cases.get(name) ?? [];
    servers.push({ name: server, ratio: Number.parseFloat(ratio) });
    cases.set(name, servers);
  }
  return SHOWN.filter((name) => cases.has(name)).map((name) => ({
    name,
    servers: cases.get(name),
  }));
}

/**
 * The bars.
 *
 * @param {string} page RESULTS.md
 * @returns {string} SVG; empty if none of the cases has been measured
 */
function bars(page) {
  const cases = read(page);
  if (cases.length === 0) return "";
  const names = [...new Set(cases.flatMap(({ servers }) => servers.map(({ name }) => name)))];
  const most = Math.ceil(
    Math.max(...cases.flatMap(({ servers }) => servers.map((one) => one.ratio))),
  );
  const x = (ratio) => LEFT + (ratio / most) * (WIDTH - LEFT - RIGHT);
  const row = names.length * (BAR.height + BAR.gap) + 12;
  const bottom = TOP + cases.length * row;
  const grid = Array.from({ length: most + 1 }, (_, n) => [
    `<path class="grid" d="M${x(n).toFixed(1)} ${TOP - 6}V${bottom}"/>`,
    label(`${n} ×`, x(n), bottom + 16, ' text-anchor="middle"'),
  ]);
  let at = 16;
  const legend = names.map((name, n) => {
    if (n > 0) at += 42 + names[n - 1].length * 7;
    return `<rect class="s${n}" x="${at}" y="12" width="12" height="12"/>${label(name, at + 18, 22)}`;
  });
  const groups = cases.map(({ name, servers }, n) => {
    const top = TOP + n * row;
    return [
      label(name, LEFT - 10, top + row / 2 - 2, ' text-anchor="end"'),
      ...servers.map((server) => {
        const style = names.indexOf(server.name);
        const y = top + style * (BAR.height + BAR.gap);
        const width = (x(server.ratio) - LEFT).toFixed(1);
        return (
          `<rect class="s${style}" x="${LEFT}" y="${y}" width="${width}" height="${BAR.height}"/>` +
          label(
            server.ratio.toFixed(1),
            x(server.ratio) + 5,
            y + BAR.height - 0.5,
            ' style="font-size:10px"',
          )
        );
      }),
    ].join("\n");
  });
  const title = `How many times as much a second as ${names[0]}`;
  const parts = [...grid.flat(), ...legend, ...groups, label(title, LEFT, bottom + 36)];
  return picture(WIDTH, bottom + 50, title, parts);
}

module.exports = { bars };
