// Event names, arguments and listeners, with and without events maps.
import { Server, type DisconnectReason, type Event, type Socket } from "socket.io";
import { expectType } from "./expect.js";

interface ClientToServer {
  text: (text: string, times: number) => void;
  empty: () => void;
  maybe: (value?: string) => void;
}
interface ServerToClient {
  news: (headline: string) => void;
  message: (text: string) => void;
  pair: (a: number, b: { c: boolean }) => void;
}
interface BetweenServers {
  sync: (state: number[]) => void;
}

// Without maps everything goes.
{
  const io = new Server();
  expectType<Server>()(io);
  io.emit("anything", 1, { two: 3 });
  io.send("a", 1);
  io.write();
  io.serverSideEmit("anything", 1);
  io.on("connection", (socket) => {
    expectType<Socket>()(socket);
    socket.on("anything", (a, b) => {
      expectType<any>()(a);
      expectType<any>()(b);
    });
    socket.on("async listener", async () => {});
    socket.emit("anything", 1, () => {});
    expectType<any>()(socket.data);
  });
  // @ts-expect-error: the listener of `connection` gets a socket
  io.on("connection", (socket: number) => {});
  // @ts-expect-error: event names are no numbers
  io.emit(1);
  io.on("whatever", (...args: any[]) => {});
}

// One map is for both directions.
{
  const io = new Server<ServerToClient>();
  io.emit("news", "hello");
  io.on("connection", (socket) => {
    expectType<Socket<ServerToClient, ServerToClient>>()(socket);
    socket.on("news", (headline) => expectType<string>()(headline));
    socket.emit("news", "hello");
  });
}

// Four type parameters.
{
  const io = new Server<ClientToServer, ServerToClient, BetweenServers, { name: string }>();

  expectType<boolean>()(io.emit("news", "hello"));
  expectType<boolean>()(io.emit("pair", 1, { c: true }));
  // @ts-expect-error: no such event
  io.emit("unknown");
  // @ts-expect-error: an event of the other direction
  io.emit("text", "a", 1);
  // @ts-expect-error: wrong argument
  io.emit("news", 1);
  // @ts-expect-error: too few arguments
  io.emit("pair", 1);
  // @ts-expect-error: too many arguments
  io.emit("news", "a", "b");

  io.send("text");
  io.write("text");
  // @ts-expect-error: `message` takes a string
  io.send(1);

  io.on("sync", (state) => expectType<number[]>()(state));
  io.serverSideEmit("sync", [1]);
  // @ts-expect-error: wrong argument
  io.serverSideEmit("sync", "1");
  // @ts-expect-error: clients send this, not servers
  io.on("text", () => {});

  io.on("new_namespace", (nsp) => expectType<string>()(nsp.name));
  io.once("connect", (socket) => expectType<string>()(socket.data.name));

  io.on("connection", (socket) => {
    expectType<Socket<ClientToServer, ServerToClient, BetweenServers, { name: string }>>()(socket);
    expectType<string>()(socket.id);
    expectType<Set<string>>()(socket.rooms);
    expectType<boolean>()(socket.connected);
    expectType<boolean>()(socket.disconnected);
    expectType<boolean>()(socket.recovered);
    expectType<string>()(socket.handshake.address);
    expectType<string>()(socket.conn.transport.name);
    expectType<string>()(socket.conn.remoteAddress);
    expectType<string | undefined>()(socket.request.url);

    socket.on("text", (text, times) => {
      expectType<string>()(text);
      expectType<number>()(times);
    });
    socket.on("text", async (text) => expectType<string>()(text));
    socket.on("empty", () => {});
    socket.on("maybe", (value) => expectType<string | undefined>()(value));
    socket.once("text", (text) => expectType<string>()(text));
    // @ts-expect-error: no such event
    socket.on("unknown", () => {});
    // @ts-expect-error: wrong argument
    socket.on("text", (text: number) => {});
    // @ts-expect-error: one argument too many
    socket.on("empty", (nothing) => {});
    // @ts-expect-error: the server sends this
    socket.on("news", () => {});

    expectType<boolean>()(socket.emit("news", "x"));
    expectType<typeof socket>()(socket.send("x"));
    // @ts-expect-error: wrong argument
    socket.emit("news", {});
    // @ts-expect-error: the client sends this
    socket.emit("empty");

    // Reserved events.
    socket.on("disconnect", (reason, description) => {
      expectType<DisconnectReason>()(reason);
      expectType<any>()(description);
    });
    socket.on("disconnecting", (reason) => expectType<DisconnectReason>()(reason));
    socket.on("error", (err) => expectType<Error>()(err));
    // @ts-expect-error: reserved events cannot be sent
    socket.emit("disconnect", "transport close");

    // Flags keep the events.
    socket.volatile.emit("news", "x");
    socket.compress(false).emit("news", "x");
    expectType<typeof socket>()(socket.volatile);
    expectType<typeof socket>()(socket.disconnect(true));
    // @ts-expect-error: wrong argument
    socket.volatile.emit("news", 1);

    // Catch-all listeners.
    expectType<typeof socket>()(socket.onAny((event, ...args) => {}));
    socket.prependAny(() => {}).offAny();
    socket
      .onAnyOutgoing(() => {})
      .prependAnyOutgoing(() => {})
      .offAnyOutgoing();
    expectType<((...args: any[]) => void)[]>()(socket.listenersAny());
    expectType<((text: string, times: number) => void)[]>()(socket.listeners("text"));

    socket.use((event, next) => {
      expectType<Event>()(event);
      const [name, ...args] = event;
      expectType<string>()(name);
      expectType<any[]>()(args);
      next();
      next(new Error("refused"));
      // @ts-expect-error: an error, not its text
      next("refused");
    });
  });
}

// The reasons are known.
{
  const reason = "ping timeout" satisfies DisconnectReason;
  // @ts-expect-error: no such reason
  const other: DisconnectReason = "bored";
  void [reason, other];
}
