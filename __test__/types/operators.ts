// Rooms, flags, and what acts on many sockets at once.
import { Server, type BroadcastOperator, type RemoteSocket } from "socket.io";
import { expectType } from "./expect.js";

interface Events {
  news: (headline: string) => void;
  bytes: (data: Buffer) => void;
}
interface Data {
  name: string;
}

const io = new Server<Events, Events, {}, Data>();
const nsp = io.of("/chat");
const { broadcast, local } = null! as Parameters<Parameters<typeof io.use>[0]>[0];

for (const sender of [io, nsp]) {
  const operator = sender
    .to("a")
    .to(["b", "c"])
    .in("d")
    .except("e")
    .compress(true)
    .volatile.local.except(["f"]);
  operator.emit("news", "hello");
  operator.emit("bytes", Buffer.from("x"));
  // @ts-expect-error: no such event
  operator.emit("unknown");
  // @ts-expect-error: wrong argument
  operator.emit("news", 1);
  // @ts-expect-error: rooms are strings
  sender.to(1);
  // @ts-expect-error: rooms are strings
  sender.except(["a", 1]);

  sender.volatile.emit("news", "x");
  sender.local.emit("news", "x");
  sender.compress(false).emit("news", "x");

  expectType<void>()(sender.socketsJoin("a"));
  expectType<void>()(sender.in("a").socketsJoin(["b", "c"]));
  expectType<void>()(sender.socketsLeave("a"));
  expectType<void>()(sender.disconnectSockets());
  expectType<void>()(sender.in("a").disconnectSockets(true));
  expectType<Promise<Set<string>>>()(sender.in("a").allSockets());
}

// Handing operators around.
function announce(to: BroadcastOperator<Events, Data>) {
  to.emit("news", "x");
}
announce(io.to("a"));
announce(broadcast);
announce(local);

async function remote() {
  const sockets = await io.in("a").except("b").fetchSockets();
  for (const socket of sockets) {
    expectType<string>()(socket.id);
    expectType<Set<string>>()(socket.rooms);
    expectType<string>()(socket.data.name);
    expectType<string>()(socket.handshake.url);
    expectType<boolean>()(socket.emit("news", "x"));
    expectType<void>()(socket.join(["a", "b"]));
    expectType<void>()(socket.leave("a"));
    expectType<RemoteSocket<Events, Data>>()((await nsp.fetchSockets())[0]!);
    socket.disconnect(true);
    // @ts-expect-error: wrong argument
    socket.emit("news", 1);
    // @ts-expect-error: belongs to the other side
    socket.id = "x";
  }
}
void remote;

io.on("connection", async (socket) => {
  socket.to("a").except("b").emit("news", "x");
  socket.broadcast.emit("news", "x");
  socket.local.emit("news", "x");
  await socket.join("a");
  socket.join(["a", "b"]);
  socket.leave("a");
  // @ts-expect-error: wrong argument
  socket.broadcast.emit("news", 1);
  // @ts-expect-error: rooms are strings
  socket.join(1);
  // @ts-expect-error: one room at a time
  socket.leave(["a"]);
  socket.data.name = "x";
  // @ts-expect-error: a string
  socket.data.name = 1;
  // @ts-expect-error: no such property
  socket.data.age;
  // @ts-expect-error: the library chooses it
  socket.id = "x";
});
