"use strict";

// The chat of examples/ with pages in a real browser, each a person of its own; and what the tests of it do again and again.

const assert = require("node:assert/strict");
const { after, afterEach, before } = require("node:test");
const { launchBrowser, openPage } = require("./browser");
const { startChatServer } = require("./chat-server");

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** Waits until the text of an element is this one. */
const textIs = (page, selector, text) =>
  page.waitForFunction(
    ([where, wanted]) => document.querySelector(where)?.textContent.trim() === wanted,
    [selector, text],
  );

/** Waits until a message with this text is shown that the server has. */
const messageArrives = (page, text) =>
  page
    .locator(".message:not([data-state]) .bubble", { hasText: text })
    .first()
    .waitFor({ state: "visible" });

/** Waits until a line with this text is shown. */
const lineArrives = (page, text) => page.locator(".line", { hasText: text }).first().waitFor();

/** The names in the list of those online, in order. */
const peopleAre = (page, names) =>
  page.waitForFunction(
    (wanted) =>
      [...document.querySelectorAll("#people .name")].map((e) => e.textContent).join() === wanted,
    names.join(),
  );

const messagesOf = (page) => page.locator(".bubble").allTextContents();

async function say(page, text) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

/** Chooses an image to send. @param {string} name of a PNG */
const sendImage = (page, name, buffer) =>
  page.getByLabel("Send an image").setInputFiles({ name, mimeType: "image/png", buffer });

async function scrollsSideways(page) {
  const [content, screen] = await page.evaluate(() => [
    Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
    innerWidth,
  ]);
  return content > screen;
}

/** In the page: its module of the connection is the one that the page itself uses. */
const leaveInPage = () => import("/connection.js").then(({ ask }) => ask("leave"));

/**
 * For a suite: a browser and a server for all of its tests, and pages that go when their test ends. A test fails if one of its
 * pages reported an error, unless `page.mayFail` is set: the browser itself reports each attempt to connect that fails.
 *
 * @param {Record<string, string>} [env] for the server
 */
function useChat(env) {
  const chat = {
    browser: undefined,
    server: undefined,
    pages: [],
    /** Opens the page, without joining. @param {import("playwright-core").BrowserContextOptions} [options] */
    async open(options) {
      const page = await openPage(chat.browser, chat.server.url, options);
      chat.pages.push(page);
      return page;
    },
    /** Opens the page and joins. @param {string} nickname @param {string} room */
    async visit(nickname, room, options) {
      const page = await chat.open(options);
      await page.getByLabel("Nickname", { exact: true }).fill(nickname);
      await page.getByLabel("Room", { exact: true }).fill(room);
      await page.getByRole("button", { name: "Join" }).click();
      await textIs(page, "#room-title", room);
      return page;
    },
    /** Ends the server as a crash would, and starts it again at its port. @param {() => Promise<void>} [between] */
    async restart(between) {
      await chat.server.stop();
      await between?.();
      chat.server = await startChatServer(chat.server.port, env);
    },
    /** Closes a page, as its person would. */
    async close(page) {
      await page.context().close();
      chat.pages = chat.pages.filter((one) => one !== page);
    },
    /** Ends all pages when the server has taken leave of them: the next test may use their nicknames. */
    async closeAll() {
      const pages = chat.pages.splice(0);
      await Promise.all(pages.map((page) => page.evaluate(leaveInPage)));
      await Promise.all(pages.map((page) => page.context().close()));
    },
  };

  before(async () => {
    [chat.browser, chat.server] = await Promise.all([launchBrowser(), startChatServer(0, env)]);
  });

  after(async () => {
    await chat.browser?.close();
    await chat.server?.stop();
  });

  afterEach(async () => {
    const problems = chat.pages.flatMap((page) => (page.mayFail ? [] : page.problems));
    await chat.closeAll();
    assert.deepEqual(problems, [], "errors in the consoles of the pages");
  });

  return chat;
}

module.exports = {
  PHONE,
  lineArrives,
  messageArrives,
  messagesOf,
  peopleAre,
  say,
  scrollsSideways,
  sendImage,
  textIs,
  useChat,
};
