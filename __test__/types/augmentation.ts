// `declare module`: apps and middlewares put their own things on our classes.
import { Server, type Socket } from "socket.io";
import { expectType } from "./expect.js";

declare module "socket.io" {
  interface Socket {
    user?: { name: string };
  }
  interface Server {
    shutDown(): number;
  }
  interface Namespace {
    title: string;
  }
}

const io = new Server();
expectType<number>()(io.shutDown());
expectType<string>()(io.of("/").title);
io.use((socket, next) => {
  socket.user = { name: "x" };
  // @ts-expect-error: a string
  socket.user = { name: 1 };
  next();
});
io.on("connection", (socket) => expectType<string | undefined>()(socket.user?.name));

function typed(socket: Socket<{ a: () => void }>) {
  expectType<string | undefined>()(socket.user?.name);
  // @ts-expect-error: augmenting does not loosen the events
  socket.on("b", () => {});
  // @ts-expect-error: nor the properties
  socket.users;
}
void typed;
