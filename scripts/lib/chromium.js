"use strict";

// A Chromium for the browser tests: the one that is named, else one that is installed, else Debian's.

const fs = require("node:fs");
const path = require("node:path");
const { aptInstall, hasApt } = require("./apt");
const { SetupError, heading } = require("./ui");

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const APPLICATIONS = {
  darwin: [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
  ],
  win32: [process.env.PROGRAMFILES, process.env["PROGRAMFILES(X86)"], process.env.LOCALAPPDATA]
    .filter(Boolean)
    .map((base) => path.join(base, "Google/Chrome/Application/chrome.exe")),
};

/**
 * Looks for a browser.
 * @returns {string | null} the path of an executable
 */
function findChromium() {
  const named = process.env.CHROMIUM_PATH;
  if (named) {
    if (fs.existsSync(named)) return named;
    throw new SetupError(
      `CHROMIUM_PATH is ${named}, where there is nothing.`,
      "Correct it or unset it.",
    );
  }
  const onPath = (process.env.PATH ?? "")
    .split(path.delimiter)
    .flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return (
    [...(APPLICATIONS[process.platform] ?? []), ...onPath].find((file) => fs.existsSync(file)) ??
    null
  );
}

/**
 * Finds a browser, or installs Debian's package of one.
 * @returns {Promise<string>} the path of an executable
 */
async function ensureChromium() {
  const found = findChromium();
  if (found) return found;
  const byHand = "Install Chromium or Chrome, or set CHROMIUM_PATH to one.";
  if (!hasApt()) {
    throw new SetupError("The browser tests need Chromium, and none was found.", byHand);
  }
  heading("Installing Chromium for the browser tests (apt-get)");
  const installed = (await aptInstall("chromium")) ? findChromium() : null;
  if (!installed) throw new SetupError("apt-get could not install Chromium.", byHand);
  return installed;
}

module.exports = { ensureChromium, findChromium };
