// The list of messages: what was said and what is on its way, who came and went, the days between, what is new.

import { avatar, byId, make, makeButton, withLinks } from "./make.js";

const list = byId("messages");

/** Messages that stay in the document; older ones go, and the memory of their images with them. */
const MAX_MESSAGES = 300;

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

let ownId = "";
/** Own messages that have not arrived, by their ids. @type {Map<string, Element>} */
const outgoing = new Map();

// Where the reader is. The end of the list stays in view, unless someone has scrolled up to read: when messages come, when an
// image gets its height, when the list itself shrinks because a line appears above or below it.

let atEnd = true;
/** How it was when it was last looked at. */
let last = { top: 0, height: 0, visible: 0 };

const look = () => ({
  top: list.scrollTop,
  height: list.scrollHeight,
  visible: list.clientHeight,
});

/** Shows the end of the list, and stays there. */
export function toEnd() {
  atEnd = true;
  list.scrollTop = list.scrollHeight;
  last = look();
  seen();
}

list.addEventListener("scroll", () => {
  const now = look();
  // An image that has just got its height makes the end far, too, and where the list becomes longer or shorter the browser
  // itself may move what is in view. Only who scrolls up in a list that stays as it was means to leave the end.
  const isSame = now.height === last.height && now.visible === last.visible;
  if (now.height - now.top - now.visible < 40) atEnd = true;
  else if (isSame && now.top < last.top) atEnd = false;
  last = now;
  seen();
});

const sizes = new ResizeObserver(() => {
  if (atEnd) toEnd();
});
sizes.observe(list);

// What nobody here has seen: said by others while the page was in the background or the reader further up.

let unseen = 0;
let tellUnseen = () => {};

/** @param {(count: number, atEnd: boolean) => void} listener hears how many are unseen, and whether the end is in view */
export const onUnseen = (listener) => (tellUnseen = listener);

function seen() {
  if (atEnd && !document.hidden) unseen = 0;
  tellUnseen(unseen, atEnd);
}
document.addEventListener("visibilitychange", seen);

function markNew(article) {
  if (atEnd && !document.hidden) return;
  if (unseen++ === 0) {
    list.querySelector(".new")?.remove();
    article.before(make("p", "line new", "New"));
  }
  tellUnseen(unseen, atEnd);
}

// The list

/** The history of a room, in place of what was shown. @param {string} self our id */
export function showHistory(history, self) {
  ownId = self;
  for (const element of list.children) forget(element);
  outgoing.clear();
  list.replaceChildren(make("p", "empty", "Nothing here yet. Say hello!"));
  for (const message of history) append(articleOf(message), message.at);
  unseen = 0;
  toEnd();
}

/** Appends a message; one that was on its way has arrived. */
export function addMessage(message) {
  const pending = outgoing.get(message.id);
  if (pending) return settle(pending, message);
  const article = articleOf(message);
  append(article, message.at);
  if (message.from.id === ownId) toEnd();
  else markNew(article);
}

/** What was on its way is at the place that the server has given it, with the text that the server has let through. */
function settle(article, { id, at, text }) {
  outgoing.delete(id);
  delete article.dataset.state;
  article.querySelector(".refusal")?.remove();
  article.querySelector(".state").replaceWith(timeOf(at));
  article.querySelector(".bubble").replaceChildren(...withLinks(text));
  if (article !== list.lastElementChild) append(article, at);
}

/** Appends a line of what happened. @param {string} text @param {number} at when */
export function addLine(text, at) {
  append(make("p", "line quiet", text), at);
}

/**
 * Shows a message of ours that has not arrived, or what has become of it.
 * @param {import("./outbox.js").Entry} entry
 * @param {boolean} arrived the server has it
 */
export function showOutgoing({ id, text, state, error }, arrived) {
  let article = outgoing.get(id);
  if (arrived) {
    outgoing.delete(id);
    article?.remove(); // It is in the history that we got: it had arrived before.
    return;
  }
  if (!article) {
    article = articleOf({ id, text, from: { id: ownId } });
    outgoing.set(id, article);
    append(article, Date.now());
    toEnd();
  }
  article.dataset.state = state;
  const states = { sending: "sending…", cut: "waiting for the connection…", refused: "not sent" };
  article.querySelector(".state").textContent = states[state];
  article.querySelector(".refusal")?.remove();
  if (state === "refused") article.lastElementChild.append(refusal(id, error));
}

/** Takes a message of ours away that was given up. @param {string} id */
export function removeOutgoing(id) {
  outgoing.get(id)?.remove();
  outgoing.delete(id);
}

function append(element, at) {
  list.querySelector(".empty")?.remove();
  markDay(new Date(at).toDateString());
  list.append(element);
  sizes.observe(element); // It also tells at once, so the end stays in view.
  if (list.children.length > MAX_MESSAGES) {
    forget(list.firstChild);
    list.firstChild.remove();
  }
}

/** A line between days. */
function markDay(day) {
  const days = [...list.querySelectorAll(".day")];
  if (days.at(-1)?.dataset.day === day) return;
  const line = make("p", "line day quiet");
  line.dataset.day = day;
  list.append(line);
  // When a day begins, the one that was today no longer is.
  for (const one of [...days, line]) one.textContent = dayName(one.dataset.day);
}

function dayName(day) {
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (day === new Date().toDateString()) return "Today";
  return day === yesterday.toDateString() ? "Yesterday" : date.format(new Date(day));
}

/** A message as an element; without `at` it is one that has not arrived. Ids tell whose it is: nicknames change. */
function articleOf({ at, from, text, image }) {
  const mine = from.id === ownId;
  const article = make("article", mine ? "message mine" : "message");
  const body = make("div");
  const header = make("header");
  header.append(make("span", "author", mine ? "You" : from.nickname));
  header.append(at === undefined ? make("span", "state quiet") : timeOf(at));
  const bubble = image ? picture(image) : make("div", "bubble");
  if (!image) bubble.append(...withLinks(text));
  body.append(header, bubble);
  if (!mine) article.append(avatar(from.nickname));
  article.append(body);
  return article;
}

function timeOf(at) {
  const sent = new Date(at);
  const element = make("time", "quiet", time.format(sent));
  element.dateTime = sent.toISOString();
  return element;
}

/** Why a message was refused, and what can be done. */
function refusal(id, error) {
  const element = make("div", "refusal");
  element.append(
    make("p", "error", error),
    makeButton("Send again", { retry: id }),
    makeButton("Discard", { discard: id }),
  );
  return element;
}

/** An image of the bytes that arrived; the server has said what type they are. */
function picture({ name, type, data }) {
  const element = make("div", "bubble picture");
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([data], { type }));
  image.alt = name;
  image.title = name;
  element.append(image);
  return element;
}

/** Gives back the memory of a message's image. */
function forget(element) {
  const image = element.querySelector?.("img");
  if (image) URL.revokeObjectURL(image.src);
}
