"use strict";

/** Strings so long that they take a way of their own: they must arrive as any other value does, from every place. */

const assert = require("node:assert/strict");
const { deferred, gather, until } = require("../support/waiting");
const { ALL, DIRECT, scenario } = require("./harness");

const LENGTHS = [100, 255, 256, 257, 1021, 1022, 1023, 1024, 5_000, 20_000, 70_000];

const throughJson = (args) => JSON.parse(JSON.stringify(args));

/** One of each kind that a worker treats in its own way. */
const kinds = (length) => ({
  ascii: "x".repeat(length),
  escapes: 'a"b\\c\n\t\u0001\u007f/'.repeat(length / 10),
  latin1: "é".repeat(length),
  wide: "ж".repeat(length),
  mixed: `${"x".repeat(length)}\u2028€😀"${"y".repeat(40)}`,
  "surrogates alone": `\ud83d${"z".repeat(length)}\ud83d\ude00\ude00\udbff`,
});

for (const kind of Object.keys(kinds(0))) {
  scenario(`long strings: ${kind}, both ways`, { modes: DIRECT }, async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const strings = LENGTHS.map((length) => kinds(length)[kind]);
    const atClient = gather(client, "down", strings.length);
    for (const string of strings) socket.emit("down", string);
    const atServer = gather(socket, "up", strings.length);
    for (const string of strings) client.emit("up", string);
    const expected = strings.map((string) => [string]);
    const [down, up] = [await atClient, await atServer];
    trace("lengths", ...down.flat().map(({ length }) => length));
    assert.deepEqual(down, throughJson(expected));
    assert.deepEqual(up, throughJson(expected));
  });
}

const LONG = "long ".repeat(500);
const WIDE = "длинно ".repeat(500);
const LINES = "line\n".repeat(500);

const places = () => ({
  "the only argument": [LONG],
  "each of six arguments": [LONG, WIDE, LINES, LONG, WIDE, LINES],
  "behind other arguments": [1, null, "short", { a: [1] }, LONG, true, WIDE],
  "the twentieth argument": [...new Array(19).fill(0), LONG],
  nested: [{ text: LONG }, [WIDE], { deep: { text: [LINES] } }],
  "nested and not": [{ text: LONG }, LONG],
  "beside what looks like a placeholder": [0, LONG, { _placeholder: "true", num: 0 }, WIDE],
  "beside undefined, functions and symbols": [undefined, LONG, Symbol("s"), undefined],
  "beside a date": [new Date(0), LONG],
  "beside objects that write themselves": [
    { toJSON: (key) => `at ${key}` },
    LONG,
    { in: { toJSON: (key) => `at ${key}` } },
  ],
  "beside attachments": [Buffer.from([1, 2]), LONG, { data: Buffer.from([3]) }, WIDE],
});

for (const [place, args] of Object.entries(places())) {
  scenario(`long strings: ${place}`, { modes: DIRECT }, async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    const [atClient, everywhere, atServer] = [
      until(client, "down"),
      until(client, "all"),
      until(socket, "up"),
    ];
    socket.emit("down", ...args);
    io.emit("all", ...args);
    client.emit("up", ...args);
    trace("down", await atClient);
    trace("all", await everywhere);
    trace("up", await atServer);
  });

  scenario(`long strings in acks: ${place}`, { modes: DIRECT }, async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    client.on("ask", echo);
    socket.on("ask", echo);
    trace("to the server", await answer(socket, args));
    trace("to the client", await answer(client, args));
    trace("to a broadcast", await io.timeout(5_000).emitWithAck("ask", ...args));
  });
}

/** Answers with what it was asked. */
function echo(...args) {
  args.pop()(...args);
}

/** What the other side answers, all of it. */
function answer(emitter, args) {
  const { promise, resolve } = deferred();
  emitter.emit("ask", ...args, (...all) => resolve(all));
  return promise;
}

scenario("long strings: as the name of an event", { modes: DIRECT }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  const [down, up] = [until(client, LONG), until(socket, WIDE)];
  socket.emit(LONG, 1, WIDE);
  client.emit(WIDE, 2, LONG);
  trace("down", await down);
  trace("up", await up);
});

scenario("long strings: in a namespace", { modes: ALL }, async ({ io, pair, trace }) => {
  io.of("/some");
  const { client, socket } = await pair("/some");
  const [down, up] = [until(client, "down"), until(socket, "up")];
  socket.emit("down", LONG);
  client.emit("up", LONG, Buffer.from([1]), WIDE);
  trace("down", await down);
  trace("up", await up);
});

scenario("long strings: seen by middlewares", { modes: DIRECT }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  socket.use((event, next) => {
    trace("middleware", ...event.map((value) => [typeof value, value.length]));
    event[1] = event[1].slice(0, 4);
    event.push(WIDE);
    next();
  });
  socket.onAny((...args) => trace("any", ...args));
  socket.prependAnyOutgoing((...args) => trace("outgoing", ...args));
  const up = until(socket, "up");
  client.emit("up", LONG, LINES);
  trace("up", await up);
  const down = until(client, "down");
  socket.emit("down", LONG);
  await down;
});

scenario("long strings: seen by listeners of the connection", async (stage) => {
  const { io, webSocket, trace } = stage;
  io.on("connection", ({ conn }) => {
    conn.on("packet", (packet) => trace("packet", packet));
    conn.on("packetCreate", ({ type, data, options }) =>
      trace("packetCreate", type, data, options.wsPreEncodedFrame),
    );
  });
  const connected = until(io, "connection");
  const raw = await webSocket();
  await raw.join();
  const [socket] = await connected;
  const up = until(socket, "up");
  raw.text(`42["up","${LONG}",{"a":"${WIDE}"}]`);
  trace("up", await up);
  socket.emit("down", LONG, { a: 1 });
  io.emit("all", WIDE, LONG);
  socket.emit("bytes", LONG, Buffer.from([1]));
  for (let i = 0; i < 4; i++) trace("wire", await raw.next());
});

/** Texts on the wire that come near to something else. */
const WIRE = {
  "white space around it": `42[ "up" ,\t"${LONG}" , 1 ]`,
  escapes: `42["up","${"\\u0041\\/\\ud83d\\n".repeat(200)}"]`,
  "with a name that is escaped": `42["\\u0075p","${LONG}",0]`,
  "a number in its place": `42["up",0,"${LONG}",1]`,
  "an ack id": `4212["up","${LONG}"]`,
};

for (const [name, text] of Object.entries(WIRE)) {
  scenario(`long strings on the wire: ${name}`, async ({ io, webSocket, trace }) => {
    const connected = until(io, "connection");
    const raw = await webSocket();
    await raw.join();
    const [socket] = await connected;
    const up = until(socket, "up");
    raw.text(text);
    trace("up", ...(await up).filter((value) => typeof value !== "function"));
  });
}

const BROKEN = {
  "a control character": `42["up","${LONG}\n"]`,
  "an unknown escape": `42["up","${LONG}\\x"]`,
  "no end": `42["up","${LONG}`,
  "two arrays": `42["up","${LONG}"]["${LONG}"]`,
  "a comma too many": `42["up","${LONG}",]`,
  "a reserved name": `42["disconnect","${LONG}"]`,
  "an object": `42{"up":"${LONG}"}`,
};

for (const [name, text] of Object.entries(BROKEN)) {
  scenario(`long strings refused: ${name}`, async ({ io, webSocket, trace }) => {
    const connected = until(io, "connection");
    const raw = await webSocket();
    await raw.join();
    const [socket] = await connected;
    socket.onAny((...args) => trace("event", ...args));
    const gone = until(socket, "disconnect");
    raw.text(text);
    trace("disconnect", (await gone)[0]);
  });
}

scenario(
  "long strings: with protocol 3",
  { options: { allowEIO3: true } },
  async ({ io, webSocket, trace }) => {
    const connected = until(io, "connection");
    const raw = await webSocket("/socket.io/?EIO=3&transport=websocket");
    const [socket] = await connected;
    await raw.next();
    await raw.next();
    const up = until(socket, "up");
    raw.text(`42["up","${LONG}","${WIDE}"]`);
    trace("up", await up);
    socket.emit("down", LONG, WIDE);
    io.emit("all", LINES);
    for (let i = 0; i < 2; i++) trace("wire", await raw.next());
  },
);

scenario(
  "long strings: missed and sent again",
  { modes: ["websocket"], options: { connectionStateRecovery: {} } },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair({ reconnection: true, reconnectionDelay: 1 });
    const hello = until(client, "hello");
    socket.emit("hello", LONG);
    trace("hello", (await hello)[0]);
    const gone = until(socket, "disconnect");
    client.io.engine.close();
    await gone;
    const missed = until(client, "missed");
    io.emit("missed", WIDE, LINES);
    const [wide, lines] = await missed;
    trace("missed", wide, lines, client.recovered);
  },
);
