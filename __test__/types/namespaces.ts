// Namespaces with types of their own, parents, middlewares, classes that extend ours.
import { Server, type ExtendedError, Namespace, Socket, type DefaultEventsMap } from "socket.io";
import { expectType } from "./expect.js";

interface Main {
  main: (n: number) => void;
}
interface AdminIn {
  kick: (id: string) => void;
}
interface AdminOut {
  kicked: (id: string) => void;
}

const io = new Server<Main>();

expectType<Namespace<Main, Main, DefaultEventsMap, any>>()(io.sockets);
expectType<Namespace<Main, Main, DefaultEventsMap, any>>()(io.of("/"));
expectType<Map<string, Socket<Main, Main, DefaultEventsMap, any>>>()(io.of("/").sockets);

// A namespace may say what it carries.
const admin: Namespace<AdminIn, AdminOut, DefaultEventsMap, { level: number }> = io.of(
  "/admin",
) as any;
admin.on("connection", (socket) => {
  expectType<number>()(socket.data.level);
  socket.on("kick", (id) => {
    expectType<string>()(id);
    admin.emit("kicked", id);
  });
  // @ts-expect-error: of the other namespace
  socket.on("main", () => {});
});
// @ts-expect-error: of the other direction
admin.emit("kick", "x");
// @ts-expect-error: names do not change
admin.name = "x";

// Middlewares.
io.use((socket, next) => {
  expectType<Socket<Main, Main, DefaultEventsMap, any>>()(socket);
  const err: ExtendedError = new Error("refused");
  err.data = { code: 1 };
  next(err);
  next();
  // @ts-expect-error: an error, not its text
  next("refused");
});
io.use(async (socket, next) => next());
expectType<typeof admin>()(admin.use((socket, next) => next(new Error(socket.id))));

// Parents.
const dynamic = io.of(/^\/room-\d+$/);
expectType<Namespace<Main, Main, DefaultEventsMap, any>>()(dynamic);
dynamic.on("connection", (socket) => expectType<string>()(socket.nsp.name));
io.of((name, auth, next) => {
  expectType<string>()(name);
  expectType<{ [key: string]: any }>()(auth);
  next(null, true);
});
io.of("/listener", (socket) => expectType<string>()(socket.id));
// @ts-expect-error: a name, an expression or a function
io.of(1);

// Types that apps write down.
type AppServer = Server<AdminIn, AdminOut, {}, { level: number }>;
type AppSocket = Socket<AdminIn, AdminOut, {}, { level: number }>;
function handlers(server: AppServer, socket: AppSocket) {
  socket.on("kick", (id) => server.to(id).emit("kicked", id));
}
const app: AppServer = new Server();
app.on("connection", (socket) => handlers(app, socket));

// Generic code.
class Room<In extends DefaultEventsMap, Out extends DefaultEventsMap> {
  constructor(private readonly server: Server<In, Out>) {}
  open() {
    this.server.on("connection", (socket) => {
      expectType<string>()(socket.id);
      socket.join("room");
    });
  }
}
new Room(new Server<DefaultEventsMap, DefaultEventsMap>()).open();

// Classes that extend ours.
class MyServer extends Server<Main> {
  shout(n: number) {
    this.emit("main", n);
    return this.to("all").emit("main", n);
  }
}
new MyServer(3000, { cors: { origin: "*" } }).shout(1);
