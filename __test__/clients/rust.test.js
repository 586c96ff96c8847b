"use strict";

/** The Rust client. */

const { ensureRustClient } = require("../../scripts/lib/rust-client");
const { conversation } = require("./support/conversation");

conversation({
  name: "rust_socketio 0.6.0",
  protocol: 4,
  command: async () => [await ensureRustClient()],
  transports: { polling: "polling", websocket: "websocket", upgrade: "upgrade" },
  answers: false,
  // It takes the type it puts before a binary WebSocket message for an invalid one.
  readsBytes: (mode) => mode === "polling",
  nests: false,
  saysGoodbye: () => true,
  multiplexes: false,
  interrupt: (_stage, socket) => socket.disconnect(),
});
