"use strict";

// The chat of examples/: what its list of messages shows besides messages, and where the reader stands in it.

const assert = require("node:assert/strict");
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

const linesOf = (page) => page.locator(".line:not(.day)").allTextContents();
const daysOf = (page) => page.locator(".line.day").allTextContents();

const titleIs = (page, title) => page.waitForFunction((wanted) => document.title === wanted, title);

/** Waits until a room of the list has so many unread messages; 0: no mark. */
const unreadIs = (page, room, count) =>
  page.waitForFunction(
    ([name, wanted]) => {
      const mark = document.querySelector(`[data-room="${name}"] .unread`);
      return wanted === 0 ? !mark : mark?.textContent === `${wanted} ${wanted} unread `;
    },
    [room, count],
  );

/** In the page: whether the end of the list is in view. */
const atEnd = () => {
  const { clientHeight, scrollHeight, scrollTop } = document.querySelector("#messages");
  return scrollHeight - scrollTop - clientHeight < 2;
};

/** Fills the list, then scrolls up to its beginning. */
async function readFromTheStart(page) {
  for (let line = 0; line < 12; line++) await say(page, `${line}\n.\n.\n.`);
  await messageArrives(page, "11");
  await page.waitForFunction(atEnd);
  await page.locator("#messages").evaluate((list) => list.scrollTo(0, 0));
  await page.locator("#to-end", { hasText: "To the newest" }).waitFor();
}

describe("the list of the chat", { timeout: 120_000 }, () => {
  const chat = useChat();
  const { visit } = chat;

  it("tells who joined, who left and who has another name", async () => {
    const ann = await visit("Ann", "door");
    const bob = await visit("Bob", "door");
    await lineArrives(ann, "Bob joined");
    await say(bob, "as Bob");
    await messageArrives(ann, "as Bob");

    await bob.getByRole("button", { name: "Rename" }).click();
    const field = bob.getByLabel("New nickname");
    assert.equal(await field.inputValue(), "Bob");
    await field.fill("ann");
    await bob.keyboard.press("Enter");
    await textIs(bob, "#rename-error", "That nickname is taken.");
    assert.equal(await field.inputValue(), "ann");
    await field.fill("Bert");
    await bob.keyboard.press("Enter");
    await lineArrives(ann, "Bob is now Bert");
    await peopleAre(bob, ["Ann", "Bert (you)"]);
    await bob.locator("#rename-dialog").waitFor({ state: "hidden" });
    await say(bob, "as Bert");
    await messageArrives(ann, "as Bert");
    assert.deepEqual(await ann.locator(".author").allTextContents(), ["Bob", "Bert"]);
    assert.deepEqual(await bob.locator(".author").allTextContents(), ["You", "You"]);

    await bob.reload();
    await peopleAre(bob, ["Ann", "Bert (you)"]);
    assert.deepEqual(await bob.locator(".author").allTextContents(), ["You", "You"]);

    await bob.locator('[data-room="music"]').click();
    await textIs(bob, "#room-title", "music");
    await peopleAre(ann, ["Ann (you)"]);
    const expected = ["Bob joined", "Bob is now Bert", "Bert left"];
    assert.deepEqual([...new Set(await linesOf(ann))].slice(0, 3), expected);
    assert.deepEqual(await linesOf(bob), [], "nobody is told what they did themselves");
  });

  it("lets go who leaves, and gives the nickname free", async () => {
    const ann = await visit("Ann", "exit");
    const bob = await visit("Bob", "exit");
    await bob.getByRole("button", { name: "Leave" }).click();
    await lineArrives(ann, "Bob left");
    await peopleAre(ann, ["Ann (you)"]);
    await bob.waitForFunction(() => document.activeElement.id === "nickname");
    await bob.reload();
    await bob.getByRole("button", { name: "Join" }).waitFor();

    const other = await visit("bob", "exit");
    await peopleAre(other, ["Ann", "bob (you)"]);
    await bob.getByLabel("Nickname", { exact: true }).fill("Bob");
    await bob.keyboard.press("Enter");
    await textIs(bob, "#join-error", "That nickname is taken.");
  });

  it("says on which day something was said", async () => {
    const ann = await visit("Ann", "days");
    await say(ann, "now");
    await messageArrives(ann, "now");
    assert.deepEqual(await daysOf(ann), ["Today"]);

    // The page's own module, fed with a history that is longer than a test.
    await ann.evaluate(async () => {
      const { addMessage, showHistory } = await import("/messages.js");
      const day = 24 * 60 * 60 * 1000;
      const noon = new Date().setHours(12, 0, 0, 0);
      const from = { id: "b", nickname: "Bob" };
      const times = [new Date(2021, 4, 3, 10), new Date(2021, 4, 3, 23), noon - day, noon];
      const messages = times.map((at, n) => ({ id: `${n}`, at, from, text: `${n}` }));
      showHistory(messages.slice(0, 3), "a");
      addMessage(messages[3]);
    });
    const full = await ann.evaluate(() =>
      new Intl.DateTimeFormat(undefined, { dateStyle: "full" }).format(new Date(2021, 4, 3)),
    );
    assert.deepEqual(await daysOf(ann), [full, "Yesterday", "Today"]);

    await ann.clock.setFixedTime(Date.now() + 24 * 60 * 60 * 1000);
    await say(ann, "a day later"); // By the page's clock, until the server has put it where it belongs.
    await messageArrives(ann, "a day later");
    assert.ok((await daysOf(ann)).includes("Yesterday"));
    assert.equal((await daysOf(ann)).filter((day) => day === "Today").length, 1);
  });

  it("makes links of addresses, and of nothing else", async () => {
    const ann = await visit("Ann", "links");
    const texts = [
      "See https://example.org/a_(b)?c=d&e#f, (http://example.com/x). And more",
      "javascript:alert(1) https:// http://[ <a href='https://example.net/'>x</a>",
    ];
    for (const text of texts) await say(ann, text);
    await messageArrives(ann, "javascript");
    const links = await ann
      .locator(".bubble a")
      .evaluateAll((all) => all.map((a) => [a.textContent, a.href, a.target, a.rel]));
    const rest = ["_blank", "noopener noreferrer nofollow"];
    assert.deepEqual(links, [
      ["https://example.org/a_(b)?c=d&e#f", "https://example.org/a_(b)?c=d&e#f", ...rest],
      ["http://example.com/x", "http://example.com/x", ...rest],
      ["https://example.net/", "https://example.net/", ...rest],
    ]);
    assert.deepEqual(await messagesOf(ann), texts, "the text is what it was");
  });

  it("marks what is unread in other rooms", async () => {
    const ann = await visit("Ann", "desk");
    const bob = await visit("Bob", "desk");
    await say(bob, "read at once");
    await messageArrives(ann, "read at once");
    await bob.locator('[data-room="music"]').click();
    await textIs(bob, "#room-title", "music");
    await say(bob, "one");
    await say(bob, "two");
    await unreadIs(ann, "music", 2);
    await unreadIs(ann, "desk", 0);
    await titleIs(ann, "(2) desk – Ferrochat");

    await ann.getByRole("button", { name: /^music 2 unread/ }).click();
    await textIs(ann, "#room-title", "music");
    await unreadIs(ann, "music", 0);
    await titleIs(ann, "music – Ferrochat");
    await say(bob, "seen");
    await messageArrives(ann, "seen");
    await ann.locator('[data-room="desk"]').click();
    await textIs(ann, "#room-title", "desk");
    await unreadIs(ann, "music", 0);

    const late = await visit("Late", "desk");
    await unreadIs(late, "music", 0);
  });

  it("shows where the new ones begin to who has scrolled up", async () => {
    const ann = await visit("Ann", "scroll");
    const bob = await visit("Bob", "scroll");
    await readFromTheStart(ann);
    await say(bob, "first news");
    await say(bob, "second news");
    await textIs(ann, "#to-end", "2 new messages");
    await titleIs(ann, "(2) scroll – Ferrochat");
    assert.equal(await ann.evaluate(atEnd), false, "whoever reads is left in peace");
    const next = await ann.locator(".line.new + .message").textContent();
    assert.match(next, /first news/);

    await ann.locator("#to-end").click();
    await ann.waitForFunction(atEnd);
    await titleIs(ann, "scroll – Ferrochat");
    await ann.locator("#to-end").waitFor({ state: "hidden" });
  });

  it("brings one's own image into view, also from further up", async () => {
    const ann = await visit("Ann", "view");
    await readFromTheStart(ann);
    await sendImage(ann, "tall.png", noisePng(500));
    await ann.waitForFunction(() => document.querySelector(".picture img")?.complete);
    await ann.waitForFunction(atEnd);
    const [bottom, edge] = await ann.evaluate(() => [
      document.querySelector(".picture img").getBoundingClientRect().bottom,
      document.querySelector("#messages").getBoundingClientRect().bottom,
    ]);
    assert.ok(bottom <= edge, `the image ends at ${bottom}, the list at ${edge}`);
  });

  it("leaves a refused name of a room in its field, with the reason beside it", async () => {
    const ann = await visit("Ann", "named");
    const field = ann.getByLabel("Name of a new room");
    await field.fill("zero\u200bwidth");
    await field.press("Enter");
    await textIs(ann, "#room-error", "The name of the room has characters that are not allowed.");
    assert.equal(await field.inputValue(), "zero\u200bwidth");
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    await ann.waitForFunction(() => document.activeElement.id === "new-room");
    const [form, error] = await Promise.all([
      ann.locator("#room-form").boundingBox(),
      ann.locator("#room-error").boundingBox(),
    ]);
    assert.ok(error.y < form.y + form.height, "it stands at the field");

    await field.fill("plain");
    await field.press("Enter");
    await textIs(ann, "#room-title", "plain");
    assert.equal(await field.inputValue(), "");
    await textIs(ann, "#room-error", "");
    assert.equal(await field.getAttribute("aria-invalid"), null);
  });
});
