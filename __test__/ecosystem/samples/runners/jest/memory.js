"use strict";

// A setup file of jest: writes down how much memory the process has before each test file.

const fs = require("node:fs");
const path = require("node:path");

globalThis.gc?.();
fs.appendFileSync(path.join(__dirname, "..", "memory.txt"), `${process.memoryUsage.rss()}\n`);
