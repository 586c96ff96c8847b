"use strict";

// The chat of examples/: nothing that was written is lost, whatever the server or the network do.

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const { describe, it } = require("node:test");
const {
  lineArrives,
  messageArrives,
  messagesOf,
  peopleAre,
  say,
  sendImage,
  textIs,
  useChat,
} = require("./support/chat");
const { noisePng } = require("./support/png");

const RESTARTED = "The server was restarted; what was said before is gone.";

describe("the connection of the chat", { timeout: 180_000 }, () => {
  const chat = useChat();
  const { open, visit } = chat;

  it("joins who is faster than the network", async () => {
    const ann = await open();
    // Not while its WebSocket is being made: the browser would report that as an error.
    await ann.evaluate(async () => {
      const { socket } = await import("/connection.js");
      if (!socket.connected) await new Promise((resolve) => socket.once("connect", resolve));
      const { engine } = socket.io;
      if (engine.transport.name !== "websocket") {
        await new Promise((resolve) => engine.once("upgrade", resolve));
      }
      socket.disconnect();
      document.querySelector("#nickname").value = "Hasty";
      document.querySelector("#join-form").requestSubmit();
    });
    await textIs(ann, "#notice", "Connecting…");
    await ann.evaluate(() => import("/connection.js").then(({ socket }) => void socket.connect()));
    await peopleAre(ann, ["Hasty (you)"]);
    await ann.locator("#notice").waitFor({ state: "hidden" });
  });

  it("comes back by itself when the server does, and tells of the restart", async () => {
    const ann = await visit("Ann", "phoenix");
    ann.mayFail = true;
    await say(ann, "ashes");
    await messageArrives(ann, "ashes");
    await chat.restart(async () => {
      await ann.locator("#notice", { hasText: "Reconnecting" }).waitFor();
      await textIs(ann, "#connection", "offline");
      await say(ann, "written without a server");
      await ann
        .locator(".message[data-state=cut]", { hasText: "waiting for the connection" })
        .waitFor();
    });

    await textIs(ann, "#connection", "online");
    await lineArrives(ann, RESTARTED);
    await peopleAre(ann, ["Ann (you)"]);
    await ann.locator("#notice").waitFor({ state: "hidden" });
    await messageArrives(ann, "written without a server");
    await say(ann, "risen");
    await messageArrives(ann, "risen");
    const bob = await visit("Bob", "phoenix");
    for (const page of [ann, bob]) {
      assert.deepEqual(await messagesOf(page), ["written without a server", "risen"]);
    }
    assert.equal(await bob.locator(".line", { hasText: RESTARTED }).count(), 0);
  });

  it("sends an upload again that a restart has cut, and says so", async () => {
    const ann = await visit("Ann", "cut");
    ann.mayFail = true;
    const image = noisePng(400);
    // The third chunk is under way when the connection is cut.
    await ann.evaluate(async () => {
      const { socket } = await import("/connection.js");
      const emit = socket.emitWithAck.bind(socket);
      let chunks = 0;
      socket.emitWithAck = (event, ...args) => {
        if (event !== "image:chunk" || ++chunks !== 3) return emit(event, ...args);
        globalThis.thirdChunk = true;
        const disconnected = new Promise((resolve) => socket.once("disconnect", resolve));
        return disconnected.then(() => Promise.reject(new Error("no answer")));
      };
    });
    await sendImage(ann, "cut.png", image);
    await ann.waitForFunction(
      () =>
        globalThis.thirdChunk &&
        parseInt(document.querySelector("#upload-percent").textContent, 10) > 0,
    );
    await chat.restart(() =>
      textIs(ann, "#upload-cut", "Cut off. It is sent again when the connection is back."),
    );

    await ann.getByAltText("cut.png").waitFor();
    await ann.locator("#upload").waitFor({ state: "hidden" });
    const bob = await visit("Bob", "cut");
    assert.deepEqual(await messagesOf(bob), [""], "it is there once");
    const src = await bob.getByAltText("cut.png").getAttribute("src");
    assert.equal(
      await bob.evaluate((url) => globalThis.hashOf(url), src),
      createHash("sha256").update(image).digest("hex"),
    );
  });

  it("shows a message once whose answer was lost", async () => {
    const ann = await visit("Ann", "twice");
    ann.mayFail = true;
    const bob = await visit("Bob", "twice");
    // The message arrives at the server; the connection goes before the page hears of it.
    await ann.waitForFunction(() =>
      import("/connection.js").then(
        ({ socket }) => socket.io.engine.transport.name === "websocket",
      ),
    );
    await ann.evaluate(async () => {
      const { socket } = await import("/connection.js");
      const { ws } = socket.io.engine.transport;
      ws.onmessage = null;
      globalThis.cut = () => ws.close();
    });
    await say(ann, "only once");
    await messageArrives(bob, "only once");
    await ann.locator(".message[data-state=sending]", { hasText: "only once" }).waitFor();
    await ann.evaluate(() => globalThis.cut());
    await textIs(ann, "#connection", "online");
    await messageArrives(ann, "only once");
    await say(ann, "the end");
    for (const page of [ann, bob]) {
      await messageArrives(page, "the end");
      assert.deepEqual(await messagesOf(page), ["only once", "the end"]);
    }
  });

  it("takes a message or an image once, however often it is sent", async () => {
    const ann = await visit("Ann", "again");
    await ann.evaluate(
      async (bytes) => {
        const { ask, newId } = await import("/connection.js");
        const message = { id: newId(), room: "again", text: "sent twice" };
        const image = { id: newId(), name: "sent twice", size: bytes.length };
        for (let time = 0; time < 2; time++) {
          await ask("message", message);
          await ask("image:start", image);
          await ask("image:chunk", new Uint8Array(bytes).buffer);
        }
      },
      [...noisePng(8)],
    );
    await say(ann, "the end");
    await messageArrives(ann, "the end");
    assert.deepEqual(await messagesOf(ann), ["sent twice", "", "the end"]);
  });

  it("keeps all messages that the limit of floods refuses", async () => {
    const ann = await visit("Ann", "flood");
    const texts = Array.from({ length: 34 }, (_, n) => `message ${n};`);
    await ann.evaluate((all) => {
      for (const text of all) {
        document.querySelector("#text").value = text;
        document.querySelector("#message-form").requestSubmit();
      }
    }, texts);
    const refused = ann.locator(".message[data-state=refused]");
    await ann.waitForFunction(() => !document.querySelector("[data-state=sending]"));
    assert.deepEqual(await refused.locator(".bubble").allTextContents(), texts.slice(30));
    assert.deepEqual(
      new Set(await refused.locator(".error").allTextContents()),
      new Set(["That was a lot; wait a few seconds."]),
    );

    await refused.nth(0).getByRole("button", { name: "Discard" }).click();
    // The window of the limit ends: each attempt before that is refused again, and the message stays.
    await ann.waitForFunction(() => {
      const button = document.querySelector("[data-state=refused] [data-retry]");
      button?.click();
      return !button && !document.querySelector(".message[data-state]");
    });
    const sent = [...texts.slice(0, 30), ...texts.slice(31)];
    const bob = await visit("Bob", "flood");
    for (const page of [ann, bob]) {
      assert.deepEqual((await messagesOf(page)).toSorted(), sent.toSorted());
    }
  });

  it("keeps what has not arrived with the room that it was written in", async () => {
    const page = await open();
    const seen = await page.evaluate(async () => {
      const { Outbox } = await import("/outbox.js");
      const answers = {
        cut: [{ ok: false, cut: true }, { ok: true }],
        refused: [{ ok: false, error: "Too much." }],
        arrived: [{ ok: false, cut: true }],
      };
      const seen = [];
      const outbox = new Outbox({
        send: async ({ id }) => answers[id].shift(),
        onChange: ({ id, state }, arrived) => seen.push(`${id} ${arrived ? "arrived" : state}`),
      });
      await Promise.all(
        Object.keys(answers).map((id) => outbox.add({ id, room: "here", text: id })),
      );
      seen.push("elsewhere");
      outbox.enter("elsewhere", []);
      seen.push("back");
      outbox.enter("here", [{ id: "arrived" }]);
      await new Promise((done) => setTimeout(done));
      return seen;
    });
    assert.deepEqual(seen, [
      "cut sending",
      "refused sending",
      "arrived sending",
      "cut cut",
      "refused refused",
      "arrived cut",
      "elsewhere",
      "back",
      "cut sending",
      "refused refused",
      "cut arrived",
    ]);
  });

  it("notices at once that the network is gone", async () => {
    const ann = await visit("Ann", "plane");
    ann.mayFail = true;
    await ann.context().setOffline(true);
    await textIs(ann, "#connection", "offline");
    await say(ann, "from above the clouds");
    await ann.context().setOffline(false);
    await textIs(ann, "#connection", "online");
    await messageArrives(ann, "from above the clouds");
  });

  it(
    "notices within a ping that the server is gone without a word",
    { skip: process.platform === "win32" },
    async (t) => {
      const handshake = await fetch(`${chat.server.url}/socket.io/?EIO=4&transport=polling`);
      const { pingInterval, pingTimeout } = JSON.parse((await handshake.text()).slice(1));
      assert.deepEqual({ pingInterval, pingTimeout }, { pingInterval: 2_000, pingTimeout: 5_000 });
      const ann = await visit("Ann", "silence");
      ann.mayFail = true;
      process.kill(chat.server.pid, "SIGSTOP"); // All of it, the workers too: as a cable that is pulled.
      t.after(() => process.kill(chat.server.pid, "SIGCONT"));
      await textIs(ann, "#connection", "offline");
      process.kill(chat.server.pid, "SIGCONT");
      await textIs(ann, "#connection", "online");
      await peopleAre(ann, ["Ann (you)"]);
    },
  );
});
