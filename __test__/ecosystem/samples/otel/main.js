"use strict";

// OpenTelemetry's instrumentation of socket.io: which spans there are, and what they tell.

const { SpanKind, SpanStatusCode } = require("@opentelemetry/api");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { SocketIoInstrumentation } = require("@opentelemetry/instrumentation-socket.io");
const {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} = require("@opentelemetry/sdk-trace-node");

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
provider.register();
registerInstrumentations({
  instrumentations: [
    new HttpInstrumentation(),
    new SocketIoInstrumentation({
      traceReserved: true,
      onHook: (span) => span.setAttribute("hook", 1),
    }),
  ],
});

const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");

const httpServer = createServer((req, res) => res.end());
const io = new Server(httpServer);
io.on("connection", (socket) => {
  socket.join("room");
  socket.on("echo", (text, reply) => reply(text));
  socket.on("fails", async () => {
    throw new Error("on purpose");
  });
  socket.on("ask all", () => io.to("room").emit("question", 1));
});
io.of("/chat").on("connection", (socket) => socket.emit("welcome"));
process.on("unhandledRejection", (error) => console.log("unhandled", error.message));

/** What a span tells, but for what is another each time. */
function show({ name, kind, status, attributes }) {
  const shown = Object.entries(attributes)
    .filter(([, value]) => !/^[\w-]{20}$/.test(String(value)))
    .map(([key, value]) => `${key}=${value}`.replace(/:\d{4,5}/, ":port"))
    .filter((text) => !/port|ephemeral|rooms/.test(text))
    .sort();
  return `${SpanKind[kind]} ${name} ${SpanStatusCode[status.code]} ${shown.join(" ")}`;
}

httpServer.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  const client = connect(url, { transports: ["websocket"] });
  console.log(await client.emitWithAck("echo", "hello"));
  const question = new Promise((resolve) => client.once("question", resolve));
  client.emit("fails");
  client.emit("ask all");
  console.log(await question);
  const chat = client.io.socket("/chat");
  await new Promise((resolve) => chat.once("welcome", resolve));
  client.io._close();
  await io.close();
  await provider.forceFlush();
  for (const line of exporter.getFinishedSpans().map(show).sort()) console.log(line);
});
