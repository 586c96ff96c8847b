// Acknowledgements: one client, after a timeout, many clients, other servers.
import { Server } from "socket.io";
import { expectType } from "./expect.js";

interface ClientToServer {
  ask: (question: string, answer: (text: string, sure: boolean) => void) => void;
}
interface ServerToClient {
  plain: (n: number) => void;
  ask: (question: string, answer: (text: string) => void) => void;
  withError: (answer: (err: Error, text: string) => void) => void;
  errorOnly: (answer: (err: Error) => void) => void;
  nothing: (answer: () => void) => void;
  two: (a: number, b: string, answer: (x: string, y: number) => void) => void;
}
interface BetweenServers {
  tell: (n: number) => void;
  count: (room: string, answer: (n: number) => void) => void;
}

const io = new Server<ClientToServer, ServerToClient, BetweenServers>();

// What has an acknowledgement cannot be sent to all without a timeout.
io.emit("plain", 1);
// @ts-expect-error: carries an acknowledgement
io.emit("ask", "?", () => {});

io.on("connection", async (socket) => {
  socket.on("ask", (question, answer) => {
    expectType<string>()(question);
    answer("42", true);
    // @ts-expect-error: two answers
    answer("42");
  });

  // One client.
  socket.emit("ask", "?", (text) => expectType<string>()(text));
  socket.emit("withError", (err, text) => {
    expectType<Error>()(err);
    expectType<string>()(text);
  });
  socket.emit("nothing", () => {});
  // @ts-expect-error: the acknowledgement is not optional
  socket.emit("ask", "?");
  // @ts-expect-error: of another type
  socket.emit("ask", "?", (text: number) => {});

  // With a timeout an error comes first, unless there is one.
  socket.timeout(1000).emit("ask", "?", (err, text) => {
    expectType<Error>()(err);
    expectType<string>()(text);
  });
  socket.timeout(1000).emit("withError", (err, text) => {
    expectType<Error>()(err);
    expectType<string>()(text);
  });
  socket.timeout(1000).emit("nothing", (err) => expectType<Error>()(err));
  socket.timeout(1000).emit("plain", 1);

  // Promises.
  expectType<string>()(await socket.emitWithAck("ask", "?"));
  expectType<string>()(await socket.emitWithAck("withError"));
  expectType<string>()(await socket.emitWithAck("two", 1, "b"));
  expectType<undefined>()(await socket.emitWithAck("nothing"));
  expectType<string>()(await socket.timeout(1000).emitWithAck("ask", "?"));
  expectType<string>()(await socket.timeout(1000).emitWithAck("two", 1, "b"));
  // @ts-expect-error: has no acknowledgement
  await socket.emitWithAck("plain", 1);
  // @ts-expect-error: wrong argument
  await socket.emitWithAck("ask", 1);
  // @ts-expect-error: the callback is ours
  await socket.emitWithAck("ask", "?", () => {});

  // Several clients.
  socket.broadcast.timeout(1000).emit("ask", "?", (err, texts) => {
    expectType<Error>()(err);
    expectType<string[]>()(texts);
  });
  expectType<string[]>()(await socket.to("room").timeout(1000).emitWithAck("ask", "?"));
});

// Several clients: one answer each, only the first value of it.
io.timeout(1000).emit("ask", "?", (err, texts) => {
  expectType<Error>()(err);
  expectType<string[]>()(texts);
});
io.timeout(1000).emit("two", 1, "b", (err, xs) => {
  expectType<Error>()(err);
  expectType<string[]>()(xs);
});
io.timeout(1000).emit("withError", (err, texts) => {
  expectType<Error>()(err);
  expectType<string[]>()(texts);
});
io.timeout(1000).emit("errorOnly", (err) => expectType<Error>()(err));
io.timeout(1000)
  .to("room")
  .emit("ask", "?", (err, texts) => expectType<string[]>()(texts));
io.to("room")
  .timeout(1000)
  .emit("ask", "?", (err, texts) => expectType<string[]>()(texts));
io.to("room").emit("ask", "?", (texts) => expectType<string[]>()(texts));
// @ts-expect-error: texts, not a text
io.timeout(1000).emit("ask", "?", (err, text: string) => {});

async function promises() {
  expectType<string[]>()(await io.timeout(1000).emitWithAck("ask", "?"));
  expectType<string[]>()(await io.to("room").timeout(1000).emitWithAck("two", 1, "b"));
  expectType<string[]>()(await io.of("/x").timeout(1000).emitWithAck("withError"));
  // @ts-expect-error: needs a timeout
  await io.to("room").emitWithAck("ask", "?");
  // @ts-expect-error: has no acknowledgement
  await io.timeout(1000).emitWithAck("plain", 1);

  const [remote] = await io.fetchSockets();
  remote?.timeout(1000).emit("ask", "?", (err, text) => {
    expectType<Error>()(err);
    expectType<string>()(text);
  });
  if (remote) expectType<string>()(await remote.timeout(1000).emitWithAck("ask", "?"));

  // Other servers.
  io.serverSideEmit("tell", 1);
  io.serverSideEmit("count", "room", (err, counts) => {
    expectType<Error>()(err);
    expectType<number[]>()(counts);
  });
  io.on("count", (room, answer) => {
    expectType<string>()(room);
    answer(1);
  });
  expectType<number[]>()(await io.serverSideEmitWithAck("count", "room"));
  // @ts-expect-error: has no acknowledgement
  await io.serverSideEmitWithAck("tell", 1);
}
void promises;

// Without maps, anything.
async function untyped() {
  const any = new Server();
  any.timeout(1).emit("a", 1, (err: Error, answers: unknown[]) => {});
  expectType<any>()(await any.timeout(1).emitWithAck("a", 1));
  any.on("connection", async (socket) => {
    expectType<any>()(await socket.emitWithAck("a", 1));
    socket.timeout(1).emit("a", (err: Error | null, answer: string) => {});
  });
}
void untyped;
