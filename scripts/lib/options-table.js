"use strict";

// docs/OPTIONS.md, made of the table of lib/base/options.js.

const { OPTIONS } = require("../../lib/base/options");

const SECTIONS = {
  server: ["Server", "What `new Server(httpServer, { … })` takes."],
  engine: ["Engine.IO", "Sessions, transports and limits; given to the server like those above."],
  attach: [
    "Attaching",
    "How the server sits on an HTTP server; given to the server or to `attach()`.",
  ],
  connectionStateRecovery: ["`connectionStateRecovery`", "The members of that option."],
};

/** Text in a cell of a table. */
const cell = (text) => text.replaceAll("|", "\\|");

/** @returns {string} the file, before it is formatted */
function renderOptions() {
  const lines = [
    "# Options",
    "",
    "Made by `npm run api-table` from the table in `lib/base/options.js`, which the code reads its defaults from.",
    "",
    "What upstream takes is taken, with the meaning that it has there: numbers may come as text, or not at all, from `process.env`. What would end",
    "upstream's process or its clients at the first request is refused when the server is made, by a `TypeError` with the code",
    "`SIO_ERR_INVALID_OPTION` that names option, value and fix. Times are milliseconds.",
    "",
    "`io.engine.opts` may be changed later: times, sizes, `transports`, `allowUpgrades` and `initialPacket` count for the sessions to come.",
  ];
  for (const [of, [title, text]] of Object.entries(SECTIONS)) {
    lines.push("", `## ${title}`, "", text, "");
    lines.push(
      "| option | type | default | what is taken | reason |",
      "| --- | --- | --- | --- | --- |",
    );
    for (const option of OPTIONS.filter((one) => one.of === of)) {
      const { name, type, value, otherwise, bounds, reason, ours } = option;
      const fallback = value === undefined ? otherwise : `\`${JSON.stringify(value)}\``;
      const label = `\`${name}\`${ours ? " (ours)" : ""}`;
      lines.push(`| ${label} | \`${cell(type)}\` | ${fallback} | ${cell(bounds)} | ${reason} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

module.exports = { renderOptions };
