"use strict";

// The chat of examples/: on a phone, by keyboard, in the dark, and for who uses a screen reader.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const axe = require("axe-core");
const {
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
} = require("./support/chat");
const { noisePng } = require("./support/png");

/** What axe finds wrong with the page as it is: rule, and element. */
async function flaws(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
  );
}

const finds = async (page, scene) => assert.deepEqual(await flaws(page), [], scene);

describe("the chat, for everybody", { timeout: 180_000 }, () => {
  const chat = useChat({ CHAT_BLOCKING: "1" });
  const { open, visit } = chat;

  for (const [name, options] of Object.entries({
    "in the light": { colorScheme: "light" },
    "in the dark": { colorScheme: "dark" },
    "on a phone": { ...PHONE, colorScheme: "light" },
    "on a phone in the dark": { ...PHONE, colorScheme: "dark" },
  })) {
    it(`gives axe nothing to find ${name}`, async () => {
      const room = `axe ${name}`.slice(0, 24);
      const stranger = await open(options);
      await finds(stranger, "the form of the nickname");
      const bob = await visit("Bob", room);
      await bob.locator("#messages").waitFor();
      const ann = await visit("Ann", room, options);
      await finds(ann, "an empty room");
      await stranger.getByLabel("Nickname", { exact: true }).fill("ann");
      await stranger.getByRole("button", { name: "Join" }).click();
      await textIs(stranger, "#join-error", "That nickname is taken.");
      await finds(stranger, "a refused nickname");

      // Everything that the list can hold.
      await say(bob, "See https://example.org/");
      await say(ann, "mine, with https://example.org/");
      await messageArrives(ann, "mine, with");
      await sendImage(bob, "noise.png", noisePng(64));
      await ann.getByAltText("noise.png").waitFor();
      await bob.locator('[data-room="music"]').click();
      await lineArrives(ann, "Bob left");
      await say(bob, "unread elsewhere");
      await ann.locator("[data-room=music] .unread").waitFor({ state: "attached" });
      await ann.evaluate(async () => {
        const { addMessage, showOutgoing } = await import("/messages.js");
        const pending = (id, state, error) => showOutgoing({ id, text: id, state, error }, false);
        pending("sending", "sending", "");
        pending("refused", "refused", "That was a lot; wait a few seconds.");
        for (let n = 0; n < 20; n++) pending(`cut ${n}`, "cut", "");
        const list = document.querySelector("#messages");
        list.scrollTo(0, 0);
        await new Promise((done) => list.addEventListener("scroll", done, { once: true }));
        addMessage({ id: "new", at: Date.now(), from: { id: "c", nickname: "Cem" }, text: "news" });
        const { showNotice, showUpload, showUploadCut } = await import("/view.js");
        showNotice("The connection was lost. Reconnecting…");
        showUpload("noise.png", 0.4);
        showUploadCut();
      });
      await textIs(ann, "#to-end", "1 new message");
      await finds(ann, "a full room");

      await ann.getByRole("button", { name: "What the server does" }).click();
      await ann.waitForFunction(() => !document.querySelector("#panel-block").disabled);
      await ann.evaluate(() => {
        for (const id of ["progress", "outcome"]) {
          const line = document.querySelector(`#panel-${id}`);
          line.hidden = false;
          line.textContent = "Nobody was lost.";
        }
      });
      await finds(ann, "the panel");
      await ann.keyboard.press("Escape");

      if (options.isMobile) {
        await ann.getByRole("button", { name: "Rooms and people" }).click();
        await ann.waitForFunction(
          () => document.querySelector("#sidebar").getBoundingClientRect().left === 0,
        );
        await finds(ann, "the sidebar");
      }
      await ann.getByLabel("Name of a new room").fill("x\u200b");
      await ann.getByLabel("Name of a new room").press("Enter");
      await ann.locator("#room-error", { hasText: "not allowed" }).waitFor();
      await finds(ann, "a refused room");
      await ann.getByRole("button", { name: "Rename" }).click();
      await finds(ann, "the dialog");
      assert.equal(await scrollsSideways(ann), false);
    });
  }

  it("fits a phone", async () => {
    const long = "W".repeat(24);
    const ann = await visit(long, "w".repeat(24), PHONE);
    await say(ann, `${"unbreakable".repeat(30)} and more`);
    await messageArrives(ann, "and more");
    await sendImage(ann, `${"n".repeat(90)}.png`, noisePng(600));
    await ann.locator(".picture img").waitFor();
    assert.equal(await scrollsSideways(ann), false);

    const toggle = ann.getByRole("button", { name: "Rooms and people" });
    await toggle.tap();
    await ann.getByRole("button", { name: /^music/ }).tap();
    await textIs(ann, "#room-title", "music");
    assert.equal(await toggle.getAttribute("aria-expanded"), "false");
    await peopleAre(ann, [`${long} (you)`]);
    assert.equal(await scrollsSideways(ann), false);

    await ann.getByRole("button", { name: "What the server does" }).tap();
    await ann.locator("#panel-outcome").waitFor({ state: "attached" });
    assert.equal(await scrollsSideways(ann), false, "the panel");
    await ann.getByRole("button", { name: "Close the panel" }).tap();
    await toggle.tap();
    await ann.getByRole("button", { name: "Rename" }).tap();
    assert.equal(await scrollsSideways(ann), false, "the dialog");

    await ann.keyboard.press("Escape");
    const bob = await visit("Bob", "elsewhere");
    await say(bob, "for whom it concerns");
    await ann.getByRole("button", { name: "Rooms and people, 1 unread" }).waitFor();

    const stranger = await open(PHONE);
    assert.equal(await scrollsSideways(stranger), false, "the form of the nickname");
  });

  it("can be used without a mouse", async () => {
    const ann = await open();
    await ann.waitForFunction(() => document.activeElement.id === "nickname");
    await ann.keyboard.type("Ann");
    await ann.keyboard.press("Enter");
    await textIs(ann, "#room-title", "lobby");
    await ann.waitForFunction(() => document.activeElement.id === "text");
    await ann.keyboard.type("two");
    await ann.keyboard.press("Shift+Enter");
    await ann.keyboard.type("lines");
    await ann.keyboard.press("Enter");
    await messageArrives(ann, "two");
    assert.deepEqual(await messagesOf(ann), ["two\nlines"]);

    await ann.locator('[data-room="random"]').focus();
    await ann.keyboard.press("Enter");
    await textIs(ann, "#room-title", "random");

    const toggle = ann.getByRole("button", { name: "What the server does" });
    await toggle.focus();
    await ann.keyboard.press("Enter");
    await ann.waitForFunction(() => document.activeElement.id === "panel-close");
    await ann.keyboard.press("Escape");
    await ann.waitForFunction(() => document.activeElement.id === "panel-toggle");
    assert.equal(await toggle.getAttribute("aria-expanded"), "false");

    await ann.getByRole("button", { name: "Rename" }).focus();
    await ann.keyboard.press("Enter");
    await ann.waitForFunction(() => document.activeElement.id === "new-nickname");
    await ann.keyboard.press("Escape");
    await ann.waitForFunction(() => document.activeElement.id === "rename");
    await ann.keyboard.press("Tab");
    await ann.keyboard.press("Enter");
    await ann.waitForFunction(() => document.activeElement.id === "nickname");
  });
});
