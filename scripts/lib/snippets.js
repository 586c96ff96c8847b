"use strict";

// Files that stand in texts, word for word: behind a line such as `<!-- file: examples/start/server.js -->` comes a block of code with
// what is in that file. So what a reader copies is what the tests run.

const fs = require("node:fs");
const { fromRoot } = require("./paths");

const SNIPPET = /(<!-- file: (\S+) -->\n\n```(\w*)\n)[\s\S]*?(\n```)/g;

/**
 * A text with the files in it as they are now.
 * @param {string} name of the text, from the root
 * @returns {string}
 */
function renderSnippets(name) {
  return fs
    .readFileSync(fromRoot(name), "utf8")
    .replaceAll(
      SNIPPET,
      (_, before, file, _language, after) =>
        `${before}${fs.readFileSync(fromRoot(file), "utf8").trimEnd()}${after}`,
    );
}

/** @param {string} name of a text @returns {string[]} the files that stand in it */
const snippetsOf = (name) =>
  Array.from(fs.readFileSync(fromRoot(name), "utf8").matchAll(SNIPPET), ([, , file]) => file);

module.exports = { renderSnippets, snippetsOf };
