import { Server } from "socket.io";
import { io } from "socket.io-client";
import { it, vi } from "vitest";
import timers from "../timers.js";

timers(
  {
    it,
    fake: () =>
      vi.useFakeTimers({
        toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"],
      }),
    advance: (ms) => vi.advanceTimersByTimeAsync(ms),
    real: () => vi.useRealTimers(),
  },
  Server,
  io,
);
