"use strict";

/** Clients that send too much (`limits`) and go to another process in the midst of that. */

const assert = require("node:assert/strict");
const { test } = require("node:test");

const { chain, dial, restart } = require("./support/handing");
const { KeptConnection } = require("./support/kept-connection");
const { OPCODE, RawWebSocket } = require("./support/raw-websocket");

/** So slow that none comes back while a test runs. */
const NEVER = 1e-6;
const CONNECT = 1; // what a client sends before its events counts, too
const only = { skip: process.platform !== "linux" };

/** A payload of events that are to be answered. */
const asked = (...numbers) => numbers.map((n) => `42${n}["echo",${n}]`).join("\x1e");

const both = [0, 1].map((num) => ({ _placeholder: true, num }));

test(
  "a packet that is dropped, and whose attachments are not all there, is taken by the other process",
  only,
  async (t) => {
    const events = { perClient: { rate: NEVER, burst: CONNECT + 1 }, action: "drop" };
    const all = chain(t, { limits: { events } });
    const server = all.start();
    await server.listens();
    const raw = await RawWebSocket.open(all.port, "/socket.io/?EIO=4&transport=websocket");
    t.after(() => raw.destroy());
    await raw.next();
    assert.match(await raw.join(), /^40/);
    assert.match(await raw.next(), /"served"/);
    raw.text('421["echo",1]');
    assert.equal(await raw.next(), '431[1,"1"]');
    raw.text(`452-2${JSON.stringify(["echo", both])}`);
    raw.binary(Buffer.from("first"));
    raw.send(OPCODE.ping, Buffer.from("read"));
    assert.equal((await raw.nextFrame()).opcode, OPCODE.pong);
    const { taken } = await restart(all, server);
    assert.deepEqual(taken, { clients: 1, sockets: 1, refused: 0 });
    assert.match(await raw.next(), /"served","2",true/);
    raw.binary(Buffer.from("second"));
    assert.equal(await raw.next(), `462-2${JSON.stringify([both, "2"])}`);
    assert.deepEqual(await raw.next(), Buffer.from("first"));
    assert.deepEqual(await raw.next(), Buffer.from("second"));
  },
);

for (const isForm of [false, true])
  test(
    `what is left of a POST is taken by the other process; it is a form: ${isForm}`,
    only,
    async (t) => {
      const events = { perClient: { rate: NEVER, burst: CONNECT + 2 } };
      const all = chain(t, { limits: { events } });
      const server = all.start();
      await server.listens();
      const connection = await KeptConnection.open(all.port);
      const posting = await KeptConnection.open(all.port);
      t.after(() => {
        connection.destroy();
        posting.destroy();
      });
      const target = `/socket.io/?EIO=4&transport=polling${isForm ? "&j=0" : ""}`;
      const headers = isForm ? { "Content-Type": "application/x-www-form-urlencoded" } : {};
      const body = (payload) => (isForm ? `d=${encodeURIComponent(payload)}` : payload);
      const opened = await connection.ask(target);
      const { sid } = JSON.parse(/\{.*\}/.exec(opened.body.replaceAll("\\", ""))[0]);
      const own = `${target}&sid=${sid}`;
      await posting.ask(own, { body: body("40"), headers });
      const payload = asked(1, 2, 3, 4);
      posting.send(own, { body: body(payload), headers });
      let heard = "";
      const hear = async (text) => {
        while (!heard.includes(text)) {
          const { body: answer } = await connection.ask(own);
          heard += answer.replaceAll("\\", "");
          if (answer === "") return;
        }
      };
      await hear('432[2,"1"]');
      assert.ok(!heard.includes("433["));
      const polled = connection.ask(own);
      await restart(all, server);
      assert.equal((await posting.answer()).body, "ok");
      await polled;
      const again = await KeptConnection.open(all.port);
      t.after(() => again.destroy());
      let later = "";
      while (!later.includes("434[")) {
        later += (await again.ask(own)).body.replaceAll("\\", "");
        if (later.includes("2") && later.endsWith("2"))
          await again.ask(own, { body: body("3"), headers });
      }
      assert.match(later, /433\[3,"2"\]/);
      assert.match(later, /434\[4,"2"\]/);
    },
  );

test("what is left of POSTs behind an upgrade is taken by the other process", only, async (t) => {
  const events = { perClient: { rate: NEVER, burst: CONNECT + 2 } };
  const all = chain(t, { limits: { events } });
  const server = all.start();
  await server.listens();
  const target = "/socket.io/?EIO=4&transport=polling";
  const [polling, posting] = await Promise.all([0, 1].map(() => KeptConnection.open(all.port)));
  t.after(() => {
    polling.destroy();
    posting.destroy();
  });
  const opened = await polling.ask(target);
  const { sid } = JSON.parse(opened.body.slice(1));
  const own = `${target}&sid=${sid}`;
  await posting.ask(own, { body: "40" });
  let heard = "";
  while (!heard.includes('"served"')) heard += (await polling.ask(own)).body;
  const raw = await RawWebSocket.open(all.port, `/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
  t.after(() => raw.destroy());
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  for (const body of [asked(1, 2, 3, 4), asked(5, 6)])
    assert.equal((await posting.ask(own, { body })).body, "ok");
  raw.text("5");
  raw.text(asked(7));
  for (const n of [1, 2]) assert.equal(await raw.next(), `43${n}[${n},"1"]`);
  // others are not held up by it
  const other = await dial(t, all, 0);
  const { taken, handed } = await restart(all, server);
  assert.deepEqual(handed, { clients: 2, moved: 2 });
  assert.deepEqual(taken, { clients: 2, sockets: 2, refused: 0 });
  assert.match(await raw.next(), /"served","2",true/);
  for (const n of [3, 4]) assert.equal(await raw.next(), `43${n}[${n},"2"]`);
  assert.equal(await other.emitWithAck("echo", 1), 1);
  assert.deepEqual(other.ends, []);
});
