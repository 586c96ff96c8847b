"use strict";

// `npm start`: sets up what is missing, then runs the chat on http://localhost:3000 (PORT chooses another port).

const { ensureAddon } = require("./lib/addon");
const { ensureDependencies } = require("./lib/deps");
const { fromRoot } = require("./lib/paths");
const { checkNode } = require("./lib/toolchain");
const { SetupError, bold, note, runMain } = require("./lib/ui");

runMain(async () => {
  checkNode();
  const port = Number(process.env.PORT || 3000);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new SetupError(
      `PORT is ${process.env.PORT}, which is no port.`,
      "Use a number up to 65535.",
    );
  }
  await ensureDependencies();
  await ensureAddon();

  const { startChat } = require(fromRoot("examples/chat/server.js"));
  const chat = await startChat({ port }).catch((error) => {
    if (error.code !== "EADDRINUSE") throw error;
    throw new SetupError(`Port ${port} is taken.`, "Choose another: PORT=3001 npm start");
  });
  console.log(`\nThe chat is ready: ${bold(`http://localhost:${chat.port}`)}`);
  note("Open it in two windows and talk to yourself. Ctrl-C stops it.");

  for (const signal of ["SIGINT", "SIGTERM"]) {
    // The second one finds no listener and ends the process at once.
    process.once(signal, () => chat.close());
  }
});
