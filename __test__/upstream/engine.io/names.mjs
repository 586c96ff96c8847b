// The same as names.js for ES modules: WebTransport in memory in place of a QUIC library, and no certificate for it.

import { register } from "node:module";

register(import.meta.resolve("./names-hook.mjs"));
