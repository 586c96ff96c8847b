"use strict";

// `npm start`: sets up what is missing, then runs the chat on http://localhost:3000 (PORT chooses another port).

const net = require("node:net");
const { addonIsCurrent, ensureAddon } = require("./lib/addon");
const { ensureDependencies } = require("./lib/deps");
const { fromRoot } = require("./lib/paths");
const { checkNode, checkToolchain } = require("./lib/toolchain");
const { SetupError, bold, note, runMain } = require("./lib/ui");

/** The port that is asked for. */
function readPort() {
  const port = Number(process.env.PORT || 3000);
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port;
  throw new SetupError(
    `PORT is ${process.env.PORT}, which is no port.`,
    "Use a number up to 65535.",
  );
}

/** What a port that cannot be had means for the person. */
function portError(error, port) {
  const fix = `Choose another: PORT=${port < 65535 ? Math.max(port + 1, 3000) : 3000} npm start`;
  if (error.code === "EADDRINUSE") return new SetupError(`Port ${port} is taken.`, fix);
  if (error.code === "EACCES") return new SetupError(`Port ${port} is not for everybody.`, fix);
  return error;
}

/** Listens for a moment: who would learn only after the installation that the port is taken has waited in vain. */
function tryPort(port) {
  const server = net.createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(portError(error, port)));
    server.listen(port, () => server.close(resolve));
  });
}

runMain(async () => {
  // First all that can fail at once, then what takes time.
  checkNode();
  const port = readPort();
  await tryPort(port);
  if (!addonIsCurrent()) checkToolchain();
  await ensureDependencies();
  await ensureAddon();

  const { startChat } = require(fromRoot("examples/chat/server.js"));
  // Whoever runs this looks at the chat on their own machine: its button that blocks the server is for them.
  const blocking = process.env.NODE_ENV !== "production";
  const chat = await startChat({ port, blocking }).catch((error) => {
    throw portError(error, port);
  });
  console.log(`\nThe chat is ready: ${bold(`http://localhost:${chat.port}`)}`);
  note("Open it in two windows and talk to yourself. Ctrl-C stops it.");

  for (const signal of ["SIGINT", "SIGTERM"]) {
    // The second one finds no listener and ends the process at once.
    process.once(signal, () => chat.close());
  }
});
