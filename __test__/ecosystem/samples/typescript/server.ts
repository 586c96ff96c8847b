// A server with typed events, in strict mode. What must not compile is marked.

import { createServer } from "node:http";
import { Namespace, Server, Socket } from "socket.io";
import type { DefaultEventsMap, ExtendedError, RemoteSocket, ServerOptions } from "socket.io";

interface ServerToClient {
  text: (from: string, text: string) => void;
  bytes: (bytes: Buffer) => void;
  ask: (question: string, reply: (answer: number) => void) => void;
}

interface ClientToServer {
  say: (text: string) => void;
  join: (room: string, reply: (error: string | null) => void) => void;
}

interface BetweenServers {
  ping: (at: number, reply: (answer: string) => void) => void;
}

interface Data {
  name: string;
  age?: number;
}

type ChatServer = Server<ClientToServer, ServerToClient, BetweenServers, Data>;
type ChatSocket = Socket<ClientToServer, ServerToClient, BetweenServers, Data>;

const options: Partial<ServerOptions> = {
  cors: { origin: "*" },
  connectionStateRecovery: { maxDisconnectionDuration: 1000 },
};
const io: ChatServer = new Server(createServer(), options);

io.use((socket, next) => {
  const error: ExtendedError = new Error("who are you?");
  socket.data.name = String(socket.handshake.auth["name"]);
  next(socket.data.name === "" ? error : undefined);
});

io.on("connection", (socket: ChatSocket) => {
  socket.on("say", (text) => {
    const upper: string = text.toUpperCase();
    socket.broadcast.emit("text", socket.data.name, upper);
    // @ts-expect-error: there is no such event
    socket.emit("say", text);
  });
  socket.on("join", async (room, reply) => {
    await socket.join(room);
    reply(null);
    // @ts-expect-error: it takes a string or null
    reply(1);
  });
  socket.emit("bytes", Buffer.from("bytes"));
  socket.on("disconnect", (reason) => console.log(reason.length));
  // @ts-expect-error: a name is a string
  socket.data.name = 1;
});

async function ask(socket: ChatSocket): Promise<number> {
  const answer = await socket.timeout(1000).emitWithAck("ask", "how many?");
  io.to(["a", "b"]).except("c").emit("text", "server", "hello");
  const sockets: RemoteSocket<ServerToClient, Data>[] = await io.fetchSockets();
  io.serverSideEmit("ping", Date.now(), (error, answers) => console.log(error.message, answers));
  return answer + sockets.length;
}

const chat: Namespace<DefaultEventsMap, DefaultEventsMap> = io.of("/chat") as never;
chat.on("connection", (socket) => socket.on("anything", (...args: unknown[]) => args.length));
export { ask, chat };
