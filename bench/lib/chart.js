"use strict";

// Lines in panels side by side, as an SVG that can be read on light and on dark pages: it brings its own ground, and
// takes the darker set of colours where the reader's system asks for it.

/**
 * @typedef {{ name: string, points: [number, number][], dashed?: boolean, strong?: boolean, style: number }} Line
 *   `style`: which colour and mark
 * @typedef {{ title: string, lines: Line[] }} Panel
 */

const PANEL = { width: 300, height: 270 };
const MARGIN = { left: 44, right: 14, top: 34, bottom: 44 };
const LEGEND = { row: 20, entry: 215, sample: 22 };
/** So many lines of a grid can be told apart. */
const MOST_TICKS = 8;

/** Colours on light and on dark ground: told apart by those who don't see all colours, too; the marks help them. */
const STYLES = [
  { light: "#57606a", dark: "#9da7b3", mark: "square" },
  { light: "#0969da", dark: "#58a6ff", mark: "triangle" },
  { light: "#1a7f37", dark: "#3fb950", mark: "diamond" },
  { light: "#8250df", dark: "#bc8cff", mark: "plus" },
  { light: "#bc4c00", dark: "#ff8c42", mark: "circle" },
  { light: "#24292f", dark: "#e6edf3", mark: "none" },
];

/** A mark of a point. */
function mark(kind, x, y, r) {
  const at = (dx, dy) => `${(x + dx * r).toFixed(1)},${(y + dy * r).toFixed(1)}`;
  switch (kind) {
    case "circle":
      return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${r}"/>`;
    case "square":
      return `<path d="M${at(-1, -1)} ${at(1, -1)} ${at(1, 1)} ${at(-1, 1)}z"/>`;
    case "triangle":
      return `<path d="M${at(0, -1.3)} ${at(1.2, 1)} ${at(-1.2, 1)}z"/>`;
    case "diamond":
      return `<path d="M${at(0, -1.4)} ${at(1.2, 0)} ${at(0, 1.4)} ${at(-1.2, 0)}z"/>`;
    case "plus":
      return `<path class="open" d="M${at(-1.3, 0)} ${at(1.3, 0)} M${at(0, -1.3)} ${at(0, 1.3)}"/>`;
    default:
      return "";
  }
}

const escape = (text) => text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`);

function label(text, x, y, attributes = "") {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${attributes}>${escape(text)}</text>`;
}

/** From the last one below to the first one above the values: 1, 2 and 5 with all powers of ten, or the powers alone. */
function ticks(values, digits = [1, 2, 5]) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const all = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++)
    for (const digit of digits) all.push(Number((digit * 10 ** power).toPrecision(1)));
  const from = all.findLastIndex((tick) => tick <= least);
  const to = all.findIndex((tick) => tick >= most);
  const shown = all.slice(Math.max(from, 0), Math.max(to, from + 1) + 1);
  return shown.length > MOST_TICKS && digits.length > 1 ? ticks(values, [1]) : shown;
}

/** A logarithmic scale: the same ratio is the same distance, wherever it is. */
function scale([from, to], [start, end]) {
  const share = (value) => (Math.log(value) - Math.log(from)) / (Math.log(to) - Math.log(from));
  return (value) => start + share(value) * (end - start);
}

/** How a line is drawn, as attributes. */
function stroke({ dashed, strong }) {
  return `stroke-width="${strong ? 2.6 : 1.6}"${dashed ? ' stroke-dasharray="5 4"' : ""}`;
}

function line(entry, x, y) {
  const { points, strong, style } = entry;
  const path = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return [
    `<g class="s${style}">`,
    `<polyline points="${path}" ${stroke(entry)}/>`,
    ...points.map(([at, value]) => mark(STYLES[style].mark, x(at), y(value), strong ? 4 : 3.2)),
    "</g>",
  ].join("");
}

/** One panel, with its upper left corner at 0, 0. */
function panel({ title, lines }, xs) {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const rows = ticks(values);
  const right = PANEL.width - MARGIN.right;
  const bottom = PANEL.height - MARGIN.bottom;
  const x = scale([xs[0] / 1.15, xs.at(-1) * 1.15], [MARGIN.left, right]);
  const y = scale([rows[0], rows.at(-1)], [bottom, MARGIN.top]);
  return [
    label(title, MARGIN.left, MARGIN.top - 14, ' class="title"'),
    ...rows.map(
      (row) =>
        `<path class="grid" d="M${MARGIN.left} ${y(row).toFixed(1)}H${right}"/>` +
        label(row.toLocaleString("en-US"), MARGIN.left - 6, y(row) + 4, ' text-anchor="end"'),
    ),
    ...xs.map((at) => label(`${at / 1000}k`, x(at), bottom + 18, ' text-anchor="middle"')),
    label("events a second", (MARGIN.left + right) / 2, bottom + 36, ' text-anchor="middle"'),
    // What matters most is drawn last.
    ...lines
      .toSorted((a, b) => Number(a.strong ?? false) - Number(b.strong ?? false))
      .map((one) => line(one, x, y)),
  ].join("\n");
}

function legend(lines, perRow) {
  return lines
    .map((entry, i) => {
      const left = 16 + (i % perRow) * LEGEND.entry;
      const y = 16 + Math.floor(i / perRow) * LEGEND.row;
      const middle = { ...entry, points: [[LEGEND.sample / 2, 0]] };
      const at = (x) => left + x;
      return [
        `<path class="s${entry.style}" d="M${left} ${y}h${LEGEND.sample}" ${stroke(entry)}/>`,
        line(middle, at, () => y),
        label(entry.name, at(LEGEND.sample + 6), y + 4, entry.strong ? ' class="title"' : ""),
      ].join("");
    })
    .join("\n");
}

function colours(ground) {
  return STYLES.map(
    ({ [ground]: colour }, i) =>
      `.s${i}{stroke:${colour};fill:${colour}}.s${i} .open,.s${i} polyline{fill:none}`,
  ).join("");
}

/**
 * A whole picture, on a ground of its own.
 *
 * @param {number} width
 * @param {number} height
 * @param {string} title for who can't see it
 * @param {string[]} parts
 * @returns {string} SVG
 */
function picture(width, height, title, parts) {
  const style = [
    "text{font:12px system-ui,sans-serif;fill:#57606a;stroke:none}",
    ".title{font-weight:600;fill:#1f2328}.ground{fill:#fff;stroke:#d0d7de}.grid{stroke:#d8dee4;stroke-width:1}",
    "polyline{fill:none;stroke-linejoin:round}",
    colours("light"),
    "@media(prefers-color-scheme:dark){",
    "text{fill:#9da7b3}.title{fill:#e6edf3}.ground{fill:#0d1117;stroke:#30363d}.grid{stroke:#262c36}",
    `${colours("dark")}}`,
  ].join("");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<style>${style}</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

/**
 * Panels side by side, with one legend.
 *
 * @param {Panel[]} panels with the same lines and places
 * @param {number[]} xs the places that are told below
 * @returns {string} SVG
 */
function chart(panels, xs) {
  const width = panels.length * PANEL.width;
  const lines = panels[0].lines;
  const perRow = Math.floor(width / LEGEND.entry);
  const top = 12 + Math.ceil(lines.length / perRow) * LEGEND.row;
  const height = top + PANEL.height;
  const title = panels.map((one) => one.title).join("; ");
  return picture(width, height, title, [
    legend(lines, perRow),
    ...panels.map(
      (one, i) => `<g transform="translate(${i * PANEL.width} ${top})">\n${panel(one, xs)}\n</g>`,
    ),
  ]);
}

module.exports = { chart, label, picture };
