"use strict";

/**
 * Every message and code that a program or a peer can see, in one place.
 */

/** Engine.IO error codes, as they appear in the JSON of a refused request. */
const ENGINE_ERRORS = Object.freeze({
  UNKNOWN_TRANSPORT: 0,
  UNKNOWN_SID: 1,
  BAD_HANDSHAKE_METHOD: 2,
  BAD_REQUEST: 3,
  FORBIDDEN: 4,
  UNSUPPORTED_PROTOCOL_VERSION: 5,
});

/** @type {Readonly<Record<number, string>>} */
const ENGINE_ERROR_MESSAGES = Object.freeze({
  0: "Transport unknown",
  1: "Session ID unknown",
  2: "Bad handshake method",
  3: "Bad request",
  4: "Forbidden",
  5: "Unsupported protocol version",
});

/**
 * Engine.IO error codes that upstream does not have, of those who are refused for a limit, and the answers. Workers have them in
 * src/net/refusal.rs.
 *
 * @type {Readonly<Record<number, { status: number, message: string }>>}
 */
const LIMIT_ANSWERS = Object.freeze({
  6: Object.freeze({ status: 429, message: "Too many requests" }),
  7: Object.freeze({ status: 503, message: "Service unavailable" }),
});

/**
 * @param {number} code an Engine.IO error code
 * @returns {string}
 */
function engineMessage(code) {
  return ENGINE_ERROR_MESSAGES[code] ?? LIMIT_ANSWERS[code]?.message;
}

/** Codes of the errors that only this implementation has. */
const CODES = Object.freeze({
  MISSING_PACKAGE: "SIO_ERR_MISSING_PACKAGE",
  INVALID_OPTION: "SIO_ERR_INVALID_OPTION",
  UNREADABLE_ARGUMENT: "SIO_ERR_UNREADABLE_ARGUMENT",
  ADDON: "SIO_ERR_ADDON",
  HANDOVER_UNSUPPORTED: "SIO_ERR_HANDOVER_UNSUPPORTED",
  HANDOVER_FAILED: "SIO_ERR_HANDOVER_FAILED",
  HANDOVER_PATH: "SIO_ERR_HANDOVER_PATH",
  NOBODY_TAKES_OVER: "SIO_ERR_NOBODY_TAKES_OVER",
  HANDED_OVER: "SIO_ERR_HANDED_OVER",
  SERVER_CLOSED: "SIO_ERR_SERVER_CLOSED",
});

/**
 * @param {unknown} name
 * @returns {Error}
 */
function reservedEvent(name) {
  return new Error(`"${String(name)}" is a reserved event name`);
}

/**
 * A package that is installed only by those who need it.
 *
 * @param {string} name
 * @param {string} what needs it
 * @param {unknown} cause
 * @returns {Error & { code: string }}
 */
function missingPackage(name, what, cause) {
  const message = `${what} needs the package "${name}": npm i ${name}`;
  return Object.assign(new Error(message, { cause }), { code: CODES.MISSING_PACKAGE });
}

/**
 * An option of ours with a value that it can't have.
 *
 * @param {string} what "option x" or "environment variable X"
 * @param {unknown} value
 * @param {string} fix what to do instead
 * @returns {Error & { code: string }}
 */
function invalidOption(what, value, fix) {
  return unusable(what, shown(value), fix);
}

/**
 * The same, of what is better said than shown.
 *
 * @param {string} what
 * @param {string} words what it is
 * @param {string} fix
 * @returns {Error & { code: string }}
 */
function unusable(what, words, fix) {
  return Object.assign(new TypeError(`${what} can't be ${words}: ${fix}`), {
    code: CODES.INVALID_OPTION,
  });
}

/**
 * A Blob or a File among the arguments of an event: its bytes can't be had at once.
 *
 * @param {string} path where it is, as in "[1].photo"
 * @returns {TypeError & { code: string }}
 */
function unreadableArgument(path) {
  const message = `a Blob can't be sent (it is at ${path}): give its bytes, await blob.arrayBuffer()`;
  return Object.assign(new TypeError(message), { code: CODES.UNREADABLE_ARGUMENT });
}

/**
 * @param {any} value
 * @returns {string} its text, if it has one: a string as it would be written, as "5" is not 5
 */
function shown(value) {
  try {
    return typeof value === "string" || Array.isArray(value)
      ? JSON.stringify(value)
      : String(value);
  } catch {
    return typeof value;
  }
}

/** @returns {Error} */
function timedOut() {
  return new Error("operation has timed out");
}

/**
 * A server whose clients can't be handed over to another process.
 *
 * @param {string} why
 * @returns {Error & { code: string }}
 */
function handoverUnsupported(why) {
  const message = `clients can't be handed over: ${why}; use io.drain()`;
  return Object.assign(new Error(message), { code: CODES.HANDOVER_UNSUPPORTED });
}

/**
 * A hand-over that has ended before its end.
 *
 * @param {string} why
 * @returns {Error & { code: string }}
 */
function handoverFailed(why) {
  const message = `the hand-over has failed: ${why}`;
  return Object.assign(new Error(message), { code: CODES.HANDOVER_FAILED });
}

/**
 * A path by which clients can't be handed over: what is there stands against it, or the system.
 *
 * @param {string} what has it
 * @param {string} path
 * @param {unknown} why and what mends it; or what the system says
 * @returns {Error & { code: string }}
 */
function handoverPath(what, path, why) {
  const isError = why instanceof Error;
  const words = isError ? `${why.message}: give that of a file this process may make` : why;
  const message = `${what} can't be ${shown(path)}: ${words}`;
  return Object.assign(new Error(message, isError ? { cause: why } : undefined), {
    code: CODES.HANDOVER_PATH,
  });
}

/** @returns {Error & { code: string }} the program has closed the server, and does not hand it over */
function serverClosed() {
  const message = "the clients are handed over to nobody: the server has been closed";
  return Object.assign(new Error(message), { code: CODES.SERVER_CLOSED });
}

/**
 * @param {string} path
 * @param {number} within ms
 * @returns {Error & { code: string }}
 */
function nobodyTakesOver(path, within) {
  const message = `no process has taken over within ${within} ms: start one with { takeOver: ${JSON.stringify(path)} }, or give it longer by the option within`;
  return Object.assign(new Error(message), { code: CODES.NOBODY_TAKES_OVER });
}

/** @returns {Error & { code: string }} in place of an answer that another process gets */
function handedOver() {
  const message = "the client has been handed over to another process";
  return Object.assign(new Error(message), { code: CODES.HANDED_OVER });
}

/**
 * Tells the program of an error as of a rejection that nobody handles. What it throws lands there where upstream calls it
 * from an async function: in middlewares, and while a session opens.
 *
 * @param {unknown} error
 * @returns {Promise<never>} nobody's
 */
async function rejectUnhandled(error) {
  throw error;
}

/**
 * The error that "close" and "disconnect" listeners get as description.
 *
 * @param {string} message
 * @returns {Error & { type: string, description: unknown }}
 */
function transportError(message) {
  return Object.assign(new Error(message), { type: "TransportError", description: undefined });
}

/** What a worker says of a client that has sent a ping or a pong which is the server's to send. */
const WRONG_HEARTBEAT = "invalid heartbeat direction";

/**
 * @param {unknown} message what a worker says of the error by which a session has ended, if there was one
 * @returns {Error | undefined} what "close" listeners get
 */
function endError(message) {
  if (typeof message !== "string") return undefined;
  // this one is upstream's session's, all others are its transports'
  return message === WRONG_HEARTBEAT ? new Error(message) : transportError(message);
}

const MESSAGES = Object.freeze({
  ATTACH_FUNCTION:
    "You are trying to attach socket.io to an express request handler function. Please pass a http.Server instance.",
  STATEFUL_REGEXP: "stateful regular expressions are not supported",
  NO_ADAPTER:
    "No adapter for this namespace, are you trying to get the list of clients of a dynamic namespace?",
  PARENT_FETCH: "fetchSockets() is not supported on parent namespaces",
  BROADCAST_CALLBACK: "Callbacks are not supported when broadcasting",
  NOT_AUTHORIZED: "Not authorized",
  INVALID_NAMESPACE: "Invalid namespace",
  ILLEGAL_ATTACHMENTS: "illegal attachments",
});

module.exports = {
  CODES,
  ENGINE_ERRORS,
  ENGINE_ERROR_MESSAGES,
  LIMIT_ANSWERS,
  MESSAGES,
  endError,
  engineMessage,
  handedOver,
  handoverFailed,
  handoverPath,
  handoverUnsupported,
  invalidOption,
  missingPackage,
  nobodyTakesOver,
  rejectUnhandled,
  reservedEvent,
  serverClosed,
  timedOut,
  transportError,
  unreadableArgument,
  unusable,
};
