"use strict";

// The chat of examples/: the panel "What the server does", and its button, which blocks the server's event loop for real.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { messageArrives, peopleAre, say, textIs, useChat } = require("./support/chat");
const { version } = require("../../package.json");

const TOGGLE = { name: "What the server does" };
const BLOCK = { name: "Block for ten seconds" };

/** Opens the panel, and waits until it shows what the server has said. */
async function openPanel(page) {
  await page.getByRole("button", TOGGLE).click();
  await page.waitForFunction(() =>
    document.querySelector("#panel-trip").textContent.endsWith(" ms"),
  );
}

const panelText = (page, part) => page.locator(`#panel-${part}`).textContent();

/** Waits until the text of a part of the panel matches. */
const panelMatches = (page, part, pattern) =>
  page.waitForFunction(
    ([id, source]) => new RegExp(source).test(document.querySelector(`#panel-${id}`).textContent),
    [part, pattern.source],
    { timeout: 60_000 },
  );

describe("the panel of the chat, where blocking is allowed", { timeout: 180_000 }, () => {
  const chat = useChat({ CHAT_BLOCKING: "1" });
  const { visit } = chat;

  it("is off at first, and shows what carries the page", async () => {
    const ann = await visit("Ann", "panel");
    assert.equal(await ann.locator("#panel").isVisible(), false);
    await openPanel(ann);
    assert.equal(await panelText(ann, "server"), `ferrosocket ${version}`);
    await panelMatches(ann, "transport", /^websocket$/);
    await panelMatches(ann, "door", /^takeover$/);
    await panelMatches(ann, "clients", /^1$/);
    await panelMatches(ann, "heartbeat", /^\d+\.\d s ago$/);
    await visit("Bob", "panel");
    await panelMatches(ann, "clients", /^2$/);
    await say(ann, "counted");
    await panelMatches(ann, "rate", /^0\.2 in, 0\.4 out$/);

    await ann.getByRole("button", { name: "Close the panel" }).click();
    assert.equal(await ann.locator("#panel").isVisible(), false);
    await ann.waitForFunction(() => document.activeElement.id === "panel-toggle");
  });

  it("blocks the event loop: nobody is lost, newcomers come in, messages wait and arrive", async () => {
    const ann = await visit("Ann", "block");
    const bob = await visit("Bob", "block");
    await openPanel(ann);
    await ann.getByRole("button", BLOCK).click();
    await panelMatches(ann, "progress", /^JavaScript stands still/);
    await panelMatches(ann, "trip", /^no answer for/); // from now on for sure
    await say(ann, "asked of a server that stands still");
    await panelMatches(ann, "progress", /, 1 message waits\.$/);
    // Workers go on: heartbeats come, and newcomers are let in, while no handler answers.
    await panelMatches(ann, "progress", /: [2-9] heartbeats, [1-9] of \d newcomers? let in/);
    assert.equal(await ann.locator(".message[data-state=sending]").count(), 1);
    assert.equal(await ann.getByRole("button", BLOCK).isDisabled(), true);
    for (const page of [ann, bob]) await textIs(page, "#connection", "online");

    await panelMatches(ann, "outcome", /./);
    const outcome = await panelText(ann, "outcome");
    assert.match(
      outcome,
      /^Nobody was lost: all 2 clients are still connected\. Meanwhile: [4-6] heartbeats, (\d) of \1 newcomers let in \(slowest after \d+ ms\)\. 1 message waited and has arrived\.$/,
    );
    for (const page of [ann, bob]) {
      await messageArrives(page, "asked of a server that stands still");
      await peopleAre(page, page === ann ? ["Ann (you)", "Bob"] : ["Ann", "Bob (you)"]);
      assert.equal(await page.locator("#notice").isVisible(), false);
    }
    await panelMatches(ann, "clients", /^2$/); // the newcomers went home
  });

  it("is refused to who hammers the button", async () => {
    const ann = await visit("Ann", "hammer");
    const answers = await ann.evaluate(async () => {
      const { ask } = await import("/connection.js");
      return Promise.all([ask("block"), ask("block")]);
    });
    // The rest after the block of the test before may still last.
    assert.ok(answers.filter(({ ok }) => ok).length <= 1);
    assert.equal(answers[1].error, "It has just been blocked.");
  });
});

describe("the panel of the chat, on the original server", { timeout: 180_000 }, () => {
  const chat = useChat({ CHAT_BLOCKING: "1", CHAT_SERVER: "socket.io" });

  it("tells that all are lost whose heartbeats nobody keeps up", async () => {
    const ann = await chat.visit("Ann", "block");
    const bob = await chat.visit("Bob", "block");
    ann.mayFail = bob.mayFail = true;
    await openPanel(ann);
    assert.match(await panelText(ann, "server"), /^socket\.io \d/);
    assert.equal(await panelText(ann, "door"), "none");
    await ann.getByRole("button", BLOCK).click();
    await panelMatches(ann, "trip", /^no answer for/);
    await say(ann, "kept by the page");
    for (const page of [ann, bob]) await textIs(page, "#connection", "offline");
    await panelMatches(ann, "outcome", /^2 of 2 clients were lost\. Meanwhile: [01] heartbeats?, /);
    for (const page of [ann, bob]) await messageArrives(page, "kept by the page");
  });
});

describe("the panel of the chat, as it is served to strangers", { timeout: 120_000 }, () => {
  const chat = useChat({ CHAT_BLOCKING: "" });

  it("blocks nothing, and says why", async () => {
    const ann = await chat.visit("Ann", "panel");
    await openPanel(ann);
    assert.equal(await ann.getByRole("button", BLOCK).isDisabled(), true);
    assert.match(
      await panelText(ann, "why-not"),
      /^Off on this server\. CHAT_BLOCKING=1 allows it/,
    );
    const answer = await ann.evaluate(() =>
      import("/connection.js").then(({ ask }) => ask("block")),
    );
    assert.equal(answer.ok, false);
  });
});

describe("who may block the chat", () => {
  const { Panel } = require("../../examples/chat/lib/panel");
  const io = { engine: { clientsCount: 1 } };
  const panel = new Panel(io, { server: "", blocking: true });
  const mayBlock = (address, headers = {}) =>
    panel.look({ conn: { transport: {} }, handshake: { address, headers } }).mayBlock;

  it("the machine that the server runs on", () => {
    for (const address of ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"]) {
      assert.equal(mayBlock(address), true, address);
    }
  });

  it("nobody else, nor whom a proxy brings", () => {
    for (const address of ["192.168.1.2", "::ffff:10.0.0.1", "fe80::1", "1270.0.0.1", ""]) {
      assert.equal(mayBlock(address), false, address);
    }
    for (const name of ["forwarded", "x-forwarded-for", "x-real-ip", "via"]) {
      assert.equal(mayBlock("127.0.0.1", { [name]: "198.51.100.7" }), false, name);
    }
  });
});
