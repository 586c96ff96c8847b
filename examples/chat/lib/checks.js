"use strict";

// What clients may send. Each check returns a clean value, or throws a Refusal whose message the person reads.

/** Limits of the chat. The page gets those it needs when it joins. */
const LIMITS = {
  nickname: 24,
  room: 24,
  text: 2000,
  token: 64,
  fileName: 80,
  /** Bytes of one image: what a phone's camera makes after its own scaling. */
  image: 4 * 1024 * 1024,
  /** Bytes of one chunk: small enough for a smooth progress bar, far below maxHttpBufferSize. */
  chunk: 64 * 1024,
};

/** A request that the server does not fulfil; the message is meant for the person. */
class Refusal extends Error {}

/** Letters of all scripts, digits, and a few signs; no control or invisible characters. */
const NAME = /^[\p{L}\p{M}\p{N}\p{Emoji_Presentation}\p{P} ]+$/u;

/** Everything that would break a line's layout: control characters but line feed and tab, and direction overrides. */
const UNWANTED = /[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g; // oxlint-disable-line no-control-regex

function asName(value, what, limit) {
  if (typeof value !== "string") throw new Refusal(`The ${what} must be text.`);
  // The limit comes before any work on the value: a megabyte of text costs one comparison.
  if (value.length > 4 * limit) throw new Refusal(`The ${what} is too long.`);
  const name = value.normalize("NFC").trim().replace(/\s+/g, " ");
  if (name === "") throw new Refusal(`The ${what} is empty.`);
  if ([...name].length > limit) {
    throw new Refusal(`The ${what} may have ${limit} characters at most.`);
  }
  if (!NAME.test(name)) {
    throw new Refusal(`The ${what} has characters that are not allowed.`);
  }
  return name;
}

/** @returns {string} a nickname, spaces tidied */
const asNickname = (value) => asName(value, "nickname", LIMITS.nickname);

/** @returns {string} a room's name, in lower case so that rooms are found again */
const asRoomName = (value) => asName(value, "name of the room", LIMITS.room).toLowerCase();

/** @returns {string} the text of a message */
function asText(value) {
  if (typeof value !== "string") throw new Refusal("A message must be text.");
  if (value.length > 2 * LIMITS.text) throw new Refusal("The message is too long.");
  const text = value.replace(UNWANTED, "").trim();
  if (text === "") throw new Refusal("The message is empty.");
  if ([...text].length > LIMITS.text) {
    throw new Refusal(`A message may have ${LIMITS.text} characters at most.`);
  }
  return text;
}

/** @returns {string} what the page calls its message, so that one which is sent again is known; empty when it has no name */
function asMessageId(value) {
  return typeof value === "string" && /^[\w-]{16,64}$/.test(value) ? value : "";
}

/** @returns {string} the secret by which a page that comes back is known; empty when it has none */
function asToken(value) {
  const isToken = typeof value === "string" && value.length <= LIMITS.token;
  return isToken && /^[\w-]{16,}$/.test(value) ? value : "";
}

/** @returns {{ id: string, name: string, size: number }} what an upload announces */
function asImageHeader(value) {
  if (typeof value !== "object" || value === null) throw new Refusal("That is no image.");
  const { name, size } = value;
  if (!Number.isInteger(size) || size <= 0) throw new Refusal("The image is empty.");
  if (size > LIMITS.image) {
    throw new Refusal(`An image may have ${LIMITS.image / 1024 / 1024} MB at most.`);
  }
  const known = typeof name === "string" && name.length <= 1024;
  const clean = known ? [...name.replace(UNWANTED, "")].slice(0, LIMITS.fileName).join("") : "";
  return { id: asMessageId(value.id), name: clean || "image", size };
}

/** How the files of each kind begin. Pages show images by this, not by what the sender says. */
const SIGNATURES = [
  ["image/png", (b) => b.subarray(0, 8).toString("latin1") === "\x89PNG\r\n\x1a\n"],
  ["image/jpeg", (b) => b.subarray(0, 3).toString("latin1") === "\xff\xd8\xff"],
  ["image/gif", (b) => /^GIF8[79]a$/.test(b.subarray(0, 6).toString("latin1"))],
  ["image/webp", (b) => /^RIFF[^]{4}WEBP$/.test(b.subarray(0, 12).toString("latin1"))],
];

/** @returns {string} the media type of an image; SVG is refused, as it can hold scripts */
function imageType(bytes) {
  const match = SIGNATURES.find(([, matches]) => matches(bytes));
  if (!match) throw new Refusal("Only PNG, JPEG, GIF and WebP images can be sent.");
  return match[0];
}

module.exports = {
  LIMITS,
  Refusal,
  asImageHeader,
  asMessageId,
  asNickname,
  asRoomName,
  asText,
  asToken,
  imageType,
};
