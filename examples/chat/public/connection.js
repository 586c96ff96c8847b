// The connection to the server, and questions over it.

/** How long an answer may take. The connection itself notices within seconds that it is dead; this is for a busy server. */
const PATIENCE = 60_000;

export const socket = io();

/**
 * Asks the server; resolves with an answer in any case.
 * @param {string} event
 * @param {...unknown} args
 * @returns {Promise<{ ok: boolean, error?: string, cut?: boolean }>} `cut`: the connection went, so nobody knows whether the
 *   server has done it
 */
export async function ask(event, ...args) {
  const cut = { ok: false, cut: true, error: "The connection was lost." };
  if (!socket.connected) return cut;
  try {
    return await socket.timeout(PATIENCE).emitWithAck(event, ...args);
  } catch {
    return socket.connected ? { ok: false, error: "The server did not answer." } : cut;
  }
}

/** A name that nobody else gives: for a message, so that the server knows it when it is sent again. */
export const newId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
