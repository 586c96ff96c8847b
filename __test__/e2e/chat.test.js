"use strict";

// The chat of examples/: what people say to each other, and where.

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const { describe, it } = require("node:test");
const {
  messageArrives,
  messagesOf,
  peopleAre,
  say,
  sendImage,
  textIs,
  useChat,
} = require("./support/chat");
const { noisePng } = require("./support/png");

describe("the chat", { timeout: 120_000 }, () => {
  const chat = useChat();
  const { open, visit } = chat;

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

    await chat.close(bob);
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
    await sendImage(ann, "noise.png", image);

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
    await sendImage(ann, "page.png", Buffer.from("<svg onload='alert(1)'>"));
    await textIs(ann, "#send-error", "Only PNG, JPEG, GIF and WebP images can be sent.");
    await sendImage(ann, "huge.png", Buffer.alloc(4 * 1024 * 1024 + 1));
    await textIs(ann, "#send-error", "An image may have 4 MB at most.");
    assert.deepEqual(await messagesOf(ann), []);
  });

  it("shows a late joiner what was said before", async () => {
    const ann = await visit("Ann", "archive");
    await say(ann, "the first");
    await messageArrives(ann, "the first");
    const image = noisePng(16);
    await sendImage(ann, "small.png", image);
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
    await other.getByLabel("Nickname", { exact: true }).fill("ann");
    await other.keyboard.press("Enter");
    await textIs(other, "#join-error", "That nickname is taken.");
  });
});
