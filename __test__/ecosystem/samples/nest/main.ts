// A NestJS gateway in its testing module: messages, acknowledgements, streams, a guard, a filter, a pipe, a namespace, an adapter with
// options of its own, and the end, with clients and HTTP connections that are still there.

import "reflect-metadata";
import { get, Agent } from "node:http";
import {
  ArgumentsHost,
  CanActivate,
  Catch,
  Controller,
  ExecutionContext,
  Get,
  Injectable,
  ParseIntPipe,
  UseFilters,
  UseGuards,
} from "@nestjs/common";
import { IoAdapter } from "@nestjs/platform-socket.io";
import { Test } from "@nestjs/testing";
import {
  BaseWsExceptionFilter,
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
} from "@nestjs/websockets";
import { Server, Socket } from "socket.io";
import { io } from "socket.io-client";

@Injectable()
class Members implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToWs().getClient<Socket>().handshake.auth.member === true;
  }
}

@Catch()
class Filter extends BaseWsExceptionFilter {
  catch(error: Error, host: ArgumentsHost): void {
    console.log("filtered", error.message);
    super.catch(error, host);
  }
}

@UseFilters(Filter)
@WebSocketGateway({ namespace: "chat" })
class Gateway {
  @WebSocketServer() server!: Server;

  afterInit(server: Server): void {
    console.log("init", server.constructor.name, server === this.server);
  }

  handleConnection(socket: Socket): void {
    console.log("connection", socket.nsp.name, socket.conn.transport.name);
    void socket.join("room");
  }

  handleDisconnect(socket: Socket): void {
    console.log("disconnect", socket.connected);
  }

  @SubscribeMessage("event")
  event(@MessageBody() data: string): { event: string; data: string } {
    return { event: "answer", data };
  }

  @SubscribeMessage("acknowledged")
  acknowledged(@MessageBody() data: string): string {
    return data.toUpperCase();
  }

  @SubscribeMessage("number")
  number(@MessageBody(ParseIntPipe) data: number): number {
    return data + 1;
  }

  @SubscribeMessage("fails")
  fails(): never {
    throw new WsException("on purpose");
  }

  @UseGuards(Members)
  @SubscribeMessage("for members")
  members(): string {
    return "welcome";
  }

  @SubscribeMessage("to all")
  all(@MessageBody() data: string, @ConnectedSocket() socket: Socket): void {
    this.server.to("room").emit("all", data, socket.rooms.size);
  }
}

@Controller()
class Pages {
  @Get()
  page(): string {
    return "a page";
  }
}

class Adapter extends IoAdapter {
  createIOServer(port: number, options?: object): Server {
    return super.createIOServer(port, { ...options, maxHttpBufferSize: 1000 });
  }
}

/** A request by a connection that stays. */
function ask(url: string, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve) =>
    get(url, { agent }, (res) => res.resume().once("end", () => resolve(res.statusCode))),
  );
}

async function main(): Promise<void> {
  const module = await Test.createTestingModule({
    providers: [Gateway],
    controllers: [Pages],
  }).compile();
  const app = module.createNestApplication({ forceCloseConnections: true, logger: false });
  app.useWebSocketAdapter(new Adapter(app));
  await app.listen(0, "127.0.0.1");
  const url = await app.getUrl();
  const agent = new Agent({ keepAlive: true });
  console.log("page", await ask(url, agent));
  const left: Array<ReturnType<typeof io>> = [];
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const member = transports.length > 1;
    const client = io(`${url}/chat`, { transports, forceNew: true, auth: { member } });
    const next = (event: string): Promise<unknown[]> =>
      new Promise((resolve) => client.once(event, (...args) => resolve(args)));
    const answer = next("answer");
    client.emit("event", "hello");
    console.log("answer", await answer);
    console.log("ack", await client.emitWithAck("acknowledged", "hello"));
    console.log("number", await client.emitWithAck("number", "41"));
    for (const event of ["fails", "for members"]) {
      const exception = next("exception");
      const welcome = client.emitWithAck(event);
      console.log(event, await Promise.race([exception, welcome]));
    }
    const all = next("all");
    client.emit("to all", "hello");
    console.log("all", await all);
    const gone = next("disconnect");
    client.emit("event", "x".repeat(2000));
    console.log("too much", await gone);
    client.connect();
    await next("connect");
    left.push(client);
  }
  const ends = left.map(
    (client) =>
      new Promise<boolean>((resolve) => client.once("disconnect", () => resolve(client.active))),
  );
  await app.close();
  console.log("closed", (await Promise.all(ends)).join());
  for (const client of left) client.disconnect();
  agent.destroy();
}

void main();
