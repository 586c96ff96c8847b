"use strict";

// A headless Chromium, and pages that keep account of what went wrong in them.

const { chromium } = require("playwright-core");
const { findChromium } = require("../../../scripts/lib/chromium");

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts the browser, with a profile of its own that is empty. */
async function launchBrowser() {
  const executablePath = findChromium();
  if (!executablePath) throw new Error("no Chromium found: install one or set CHROMIUM_PATH");
  return chromium.launch({ executablePath, headless: true, args: ARGS });
}

/** Runs in the page before its own scripts: keeps the images it makes, for the test to look into. */
function recordBlobs() {
  const blobs = new Map();
  const createObjectURL = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (blob) => {
    const url = createObjectURL(blob);
    blobs.set(url, blob);
    return url;
  };
  globalThis.hashOf = async (url) => {
    const bytes = await blobs.get(url).arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };
}

/**
 * Opens a page in a context of its own: nothing is shared with other pages but the server.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {import("playwright-core").BrowserContextOptions} [options]
 * @returns {Promise<import("playwright-core").Page & { problems: string[], webSockets: string[] }>}
 */
async function openPage(browser, url, options) {
  const context = await browser.newContext({ colorScheme: "light", ...options });
  const page = await context.newPage();
  page.problems = [];
  page.webSockets = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.problems.push(message.text());
  });
  page.on("websocket", (webSocket) => page.webSockets.push(webSocket.url()));
  await page.addInitScript(recordBlobs);
  await page.goto(url);
  return page;
}

module.exports = { launchBrowser, openPage };
