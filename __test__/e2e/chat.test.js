"use strict";

// The chat of examples/ in a real browser. Each page is a person of its own.

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const { after, afterEach, before, describe, it } = require("node:test");
const { launchBrowser, openPage } = require("./support/browser");
const { startChatServer } = require("./support/chat-server");
const { noisePng } = require("./support/png");

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** Waits until the text of an element is this one. */
const textIs = (page, selector, text) =>
  page.waitForFunction(
    ([where, wanted]) => document.querySelector(where)?.textContent.trim() === wanted,
    [selector, text],
  );

/** Waits until a message with this text is shown. */
const messageArrives = (page, text) =>
  page.locator(".bubble", { hasText: text }).waitFor({ state: "visible" });

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

async function scrollsSideways(page) {
  const [content, screen] = await page.evaluate(() => [
    Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
    innerWidth,
  ]);
  return content > screen;
}

describe("the chat", { timeout: 120_000 }, () => {
  let browser;
  let server;
  /** Pages of the test that runs; those opened with `mayFail` are not asked for their problems. */
  let pages = [];

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startChatServer()]);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  afterEach(async () => {
    const problems = pages.flatMap((page) => (page.mayFail ? [] : page.problems));
    await Promise.all(pages.map((page) => page.context().close()));
    pages = [];
    assert.deepEqual(problems, [], "errors in the consoles of the pages");
  });

  async function open(options) {
    const page = await openPage(browser, server.url, options);
    pages.push(page);
    return page;
  }

  async function visit(nickname, room, options) {
    const page = await open(options);
    await page.getByLabel("Nickname").fill(nickname);
    await page.getByLabel("Room", { exact: true }).fill(room);
    await page.getByRole("button", { name: "Join" }).click();
    await textIs(page, "#room-title", room);
    return page;
  }

  it("carries messages both ways, shows who is online and who is typing", async () => {
    const ann = await visit("Ann", "talk");
    await peopleAre(ann, ["Ann (you)"]);
    const bob = await visit("Bob", "talk");
    await peopleAre(ann, ["Ann (you)", "Bob"]);
    await peopleAre(bob, ["Ann", "Bob (you)"]);

    await ann.getByLabel("Message", { exact: true }).pressSequentially("Hel");
    await textIs(bob, "#typing", "Ann is typing…");
    await say(ann, "Hello Bob, <b>how</b> are you? 😀");
    await messageArrives(bob, "Hello Bob, <b>how</b> are you? 😀");
    await textIs(bob, "#typing", "");
    await say(bob, "Fine!\u202e");
    await messageArrives(ann, "Fine!");
    await messageArrives(bob, "Fine!"); // his own comes back to him

    const both = ["Hello Bob, <b>how</b> are you? 😀", "Fine!"];
    assert.deepEqual(await messagesOf(ann), both);
    assert.deepEqual(await messagesOf(bob), both);
    assert.deepEqual(await ann.locator(".author").allTextContents(), ["You", "Bob"]);

    await bob.context().close();
    pages = pages.filter((page) => page !== bob);
    await peopleAre(ann, ["Ann (you)"]);
    assert.equal(ann.webSockets.length, 1, "the connection was upgraded to WebSocket");
  });

  it("keeps rooms apart", async () => {
    const ann = await visit("Ann", "cellar");
    const bob = await visit("Bob", "cellar");
    await bob.getByLabel("Name of a new room").fill("Attic");
    await bob.keyboard.press("Enter");
    await textIs(bob, "#room-title", "attic");
    await peopleAre(ann, ["Ann (you)"]);
    await peopleAre(bob, ["Bob (you)"]);

    await say(ann, "only for the cellar");
    await messageArrives(ann, "only for the cellar");
    await say(bob, "only for the attic");
    await messageArrives(bob, "only for the attic");
    assert.deepEqual(await messagesOf(ann), ["only for the cellar"]);
    assert.deepEqual(await messagesOf(bob), ["only for the attic"]);

    await ann.getByRole("button", { name: /^attic/ }).click();
    await textIs(ann, "#room-title", "attic");
    await peopleAre(bob, ["Bob (you)", "Ann"]);
    assert.deepEqual(await messagesOf(ann), ["only for the attic"]);
  });

  it("sends an image byte for byte, with its progress", async () => {
    const ann = await visit("Ann", "gallery");
    const bob = await visit("Bob", "gallery");
    const image = noisePng(400);
    await ann.evaluate(() => {
      globalThis.progress = [];
      const label = document.querySelector("#upload-percent");
      new MutationObserver(() => globalThis.progress.push(label.textContent)).observe(label, {
        childList: true,
      });
    });
    await ann
      .getByLabel("Send an image")
      .setInputFiles({ name: "noise.png", mimeType: "image/png", buffer: image });

    const hash = createHash("sha256").update(image).digest("hex");
    for (const page of [ann, bob]) {
      const shown = page.getByAltText("noise.png");
      await shown.waitFor();
      await page.waitForFunction(() => document.querySelector(".picture img").naturalWidth === 400);
      const src = await shown.getAttribute("src");
      assert.equal(await page.evaluate((url) => globalThis.hashOf(url), src), hash);
    }
    await ann.locator("#upload").waitFor({ state: "hidden" });

    const steps = (await ann.evaluate(() => globalThis.progress)).map((text) => {
      assert.match(text, /^\d+ %$/);
      return parseInt(text, 10);
    });
    const chunks = Math.ceil(image.length / (64 * 1024));
    assert.equal(steps.length, chunks + 1, "one step at the start and one per acknowledged chunk");
    assert.deepEqual(
      steps,
      steps.toSorted((a, b) => a - b),
    );
    assert.deepEqual([steps[0], steps.at(-1)], [0, 100]);
  });

  it("refuses what is no image, or too large, and says so", async () => {
    const ann = await visit("Ann", "refused");
    const send = (name, buffer) =>
      ann
        .getByLabel("Send an image")
        .setInputFiles({ name, mimeType: "image/png", buffer: Buffer.from(buffer) });
    await send("page.png", "<svg onload='alert(1)'>");
    await textIs(ann, "#send-error", "Only PNG, JPEG, GIF and WebP images can be sent.");
    await send("huge.png", Buffer.alloc(4 * 1024 * 1024 + 1));
    await textIs(ann, "#send-error", "An image may have 4 MB at most.");
    assert.deepEqual(await messagesOf(ann), []);
  });

  it("shows a late joiner what was said before", async () => {
    const ann = await visit("Ann", "archive");
    await say(ann, "the first");
    await messageArrives(ann, "the first");
    const image = noisePng(16);
    await ann
      .getByLabel("Send an image")
      .setInputFiles({ name: "small.png", mimeType: "image/png", buffer: image });
    await ann.getByAltText("small.png").waitFor();
    await say(ann, "the last");
    await messageArrives(ann, "the last");

    const bob = await visit("Bob", "archive");
    assert.deepEqual(await messagesOf(bob), ["the first", "", "the last"]);
    const src = await bob.getByAltText("small.png").getAttribute("src");
    assert.equal(
      await bob.evaluate((url) => globalThis.hashOf(url), src),
      createHash("sha256").update(image).digest("hex"),
    );
  });

  it("knows a nickname's owner after a reload, and nobody else", async () => {
    const ann = await visit("Ann", "home");
    await say(ann, "before the reload");
    await messageArrives(ann, "before the reload");
    await ann.reload();
    await textIs(ann, "#room-title", "home");
    await peopleAre(ann, ["Ann (you)"]);
    assert.deepEqual(await messagesOf(ann), ["before the reload"]);

    const other = await open();
    await other.getByLabel("Nickname").fill("ann");
    await other.keyboard.press("Enter");
    await textIs(other, "#join-error", "That nickname is taken.");
  });

  it("comes back by itself when the server does", async () => {
    const ann = await visit("Ann", "phoenix");
    ann.mayFail = true; // The browser itself reports each attempt to connect that fails.
    await say(ann, "ashes");
    await messageArrives(ann, "ashes");
    await server.stop();
    await ann.locator("#notice", { hasText: "Reconnecting" }).waitFor();
    assert.equal(await ann.getByRole("button", { name: "Send", exact: true }).isDisabled(), true);

    server = await startChatServer(server.port);
    await textIs(ann, "#connection", "online");
    await peopleAre(ann, ["Ann (you)"]);
    await ann.locator("#notice").waitFor({ state: "hidden" });
    await say(ann, "risen");
    await messageArrives(ann, "risen");
    assert.deepEqual(await messagesOf(ann), ["risen"], "the new server knows nothing of before");
  });

  it("fits a phone", async () => {
    const long = "W".repeat(24);
    const ann = await visit(long, "w".repeat(24), PHONE);
    await say(ann, `${"unbreakable".repeat(30)} and more`);
    await messageArrives(ann, "and more");
    await ann.getByLabel("Send an image").setInputFiles({
      name: `${"n".repeat(90)}.png`,
      mimeType: "image/png",
      buffer: noisePng(600),
    });
    await ann.locator(".picture img").waitFor();
    assert.equal(await scrollsSideways(ann), false);

    const toggle = ann.getByRole("button", { name: "Rooms and people" });
    await toggle.tap();
    await ann.getByRole("button", { name: /^music/ }).tap();
    await textIs(ann, "#room-title", "music");
    assert.equal(await toggle.getAttribute("aria-expanded"), "false");
    await peopleAre(ann, [`${long} (you)`]);
    assert.equal(await scrollsSideways(ann), false);

    const stranger = await open(PHONE);
    assert.equal(await scrollsSideways(stranger), false, "the form of the nickname");
  });

  it("can be used without a mouse", async () => {
    const ann = await open();
    assert.equal(await ann.evaluate(() => document.activeElement.id), "nickname");
    await ann.keyboard.type("Ann");
    await ann.keyboard.press("Enter");
    await textIs(ann, "#room-title", "lobby");
    assert.equal(await ann.evaluate(() => document.activeElement.id), "text");
    await ann.keyboard.type("two");
    await ann.keyboard.press("Shift+Enter");
    await ann.keyboard.type("lines");
    await ann.keyboard.press("Enter");
    await messageArrives(ann, "two");
    assert.deepEqual(await messagesOf(ann), ["two\nlines"]);

    await ann.locator('[data-room="random"]').focus();
    await ann.keyboard.press("Enter");
    await textIs(ann, "#room-title", "random");
    const unnamed = await ann.evaluate(() =>
      [...document.querySelectorAll("button, input, textarea")]
        .filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim()))
        .map((e) => e.outerHTML),
    );
    assert.deepEqual(unnamed, [], "every control has a name for screen readers");
  });
});
