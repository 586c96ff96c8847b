// The page's logic: what the server says goes to the view, what the person does goes to the server.

import { ask, newId, socket } from "./connection.js";
import * as messages from "./messages.js";
import { Outbox } from "./outbox.js";
import { startPanel } from "./panel.js";
import { Unread } from "./unread.js";
import { sendImage } from "./upload.js";
import * as view from "./view.js";

const { parts } = view;

/** After this long without a key the others no longer read that we are typing. */
const TYPING_PAUSE = 3_000;

/** Who we are and where; null before the first join, and after we have left. */
let self = null;
/** Whether the server knows us by this connection. */
let joined = false;
/** Who waits until it does again: an upload that was cut. */
const waiters = [];
/** The run of the server that we have joined last. */
let run = "";
let people = [];
let roomList = [];
const unread = new Unread();
let unseen = 0;
/** Nicknames by id of those who are typing. */
const typists = new Map();

/** By this the server knows a page that was reloaded. It stays in this tab. */
const token = sessionStorage.getItem("token") ?? newId();
sessionStorage.setItem("token", token);

/** Asks what only those may ask who have joined. */
const askInRoom = async (...args) => (joined ? ask(...args) : { ok: false, cut: true });

const outbox = new Outbox({
  send: ({ id, room, text }) => askInRoom("message", { id, room, text }),
  onChange(entry, arrived) {
    if (entry.room === self?.room) messages.showOutgoing(entry, arrived);
  },
});

// Joining, also again after a lost connection or a reload

async function join(nickname, room) {
  const answer = await ask("join", { nickname, room, token });
  if (!answer.ok) return answer.error;
  const restarted = run !== "" && run !== answer.run;
  run = answer.run;
  self = { nickname, id: answer.id, limits: answer.limits };
  sessionStorage.setItem("nickname", nickname);
  unread.start(run, answer.rooms);
  joined = true;
  enter(answer);
  if (restarted) {
    messages.addLine("The server was restarted; what was said before is gone.", Date.now());
  }
  view.showChat();
  view.showNotice("");
  view.showConnection(true);
  for (const resolve of waiters.splice(0)) resolve();
  panel.joined();
  return "";
}

/** Resolves when the server knows us (again). */
const untilBack = () =>
  joined ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve));

function enter({ room, history, ...look }) {
  self.room = room;
  sessionStorage.setItem("room", room);
  ({ people, rooms: roomList } = look);
  typists.clear();
  view.showTyping([]);
  messages.showHistory(history, self.id);
  outbox.enter(room, history);
  view.showPeople(people, self.id);
  showRooms();
  view.showSendError("");
}

/** The list of rooms and the title, both with what is unread. The room that we are in counts as read. */
function showRooms() {
  const here = roomList.find(({ name }) => name === self?.room);
  if (here) unread.readAll(here);
  view.showRooms(roomList, self?.room, (room) => (self ? unread.of(room) : 0));
  if (!self) return;
  const elsewhere = roomList.reduce((sum, room) => sum + unread.of(room), 0);
  view.showTitle(self.room, unseen, elsewhere);
}

messages.onUnseen((count, atEnd) => {
  view.showToEnd(count, atEnd);
  if (unseen === count) return;
  unseen = count;
  showRooms();
});
parts.toEnd.addEventListener("click", () => {
  messages.toEnd();
  parts.text.focus();
});

/** @returns {Promise<string>} why it was refused; empty when we are there */
async function switchRoom(name) {
  stopTyping();
  const answer = await ask("switch", name);
  if (!answer.ok) return answer.error;
  cancelUpload(); // Its beginning belongs to the room that we have left.
  enter(answer);
  view.showSidebar(false);
  parts.text.focus();
  return "";
}

parts.joinForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  view.showJoinError("");
  const nickname = parts.nickname.value.trim();
  const room = parts.firstRoom.value;
  if (socket.connected) return view.showJoinError(await join(nickname, room));
  // Who is faster than the network joins as soon as it is there, as after a reload.
  sessionStorage.setItem("nickname", nickname);
  sessionStorage.setItem("room", room);
  view.showNotice("Connecting…");
});

parts.roomForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  view.showRoomError("");
  const error = await switchRoom(parts.newRoom.value);
  view.showRoomError(error);
  if (error) parts.newRoom.focus();
  else parts.newRoom.value = "";
});

parts.rooms.addEventListener("click", async ({ target }) => {
  const name = target.closest("[data-room]")?.dataset.room;
  if (name !== undefined) view.showSendError(await switchRoom(name));
});

// Another name, and the way out

parts.rename.addEventListener("click", () => {
  view.showRenameError("");
  parts.newNickname.value = self.nickname;
  parts.renameDialog.showModal();
  parts.newNickname.select();
});

parts.renameCancel.addEventListener("click", () => parts.renameDialog.close());

parts.renameForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await ask("rename", parts.newNickname.value);
  view.showRenameError(answer.ok ? "" : answer.error);
  if (!answer.ok) return;
  self.nickname = answer.nickname;
  sessionStorage.setItem("nickname", answer.nickname);
  parts.renameDialog.close();
});

parts.leave.addEventListener("click", async () => {
  stopTyping();
  cancelUpload();
  const { nickname, room } = self;
  self = null;
  joined = false;
  outbox.clear();
  sessionStorage.removeItem("nickname");
  view.showSidebar(false);
  panel.close();
  view.showNotice("");
  view.showJoinError("");
  view.showWelcome(nickname, room);
  await ask("leave");
});

// Connection

socket.on("connect", async () => {
  const nickname = self?.nickname ?? sessionStorage.getItem("nickname");
  if (!nickname) return view.showNotice("");
  const room = self?.room ?? sessionStorage.getItem("room") ?? "lobby";
  const error = await join(nickname, room);
  if (!error || !socket.connected) return;
  // Someone else may have taken the name meanwhile. What was not sent yet stays for the room.
  self = null;
  view.showNotice("");
  view.showWelcome(nickname, room);
  view.showJoinError(error);
});

socket.on("disconnect", (reason) => {
  joined = false;
  view.showConnection(false);
  typists.clear();
  view.showTyping([]);
  // The server ends a connection itself only when the same tab's session came back elsewhere.
  view.showNotice(
    reason === "io server disconnect"
      ? "The chat went on in another tab. Reload to come back."
      : "The connection was lost. Reconnecting…",
  );
});

socket.on("connect_error", () => {
  view.showConnection(false);
  if (socket.active) view.showNotice("The server cannot be reached. Trying again…");
});

// What others do

socket.on("rooms", (rooms) => {
  roomList = rooms;
  showRooms();
});

socket.on("said", ({ room, said }) => {
  const there = roomList.find(({ name }) => name === room);
  if (!there) return;
  there.said = said;
  showRooms();
});

socket.on("people", ({ room, people: now }) => {
  if (room !== self?.room) return;
  people = now;
  view.showPeople(people, self.id);
  for (const id of typists.keys()) {
    if (!people.some((person) => person.id === id)) typists.delete(id);
  }
  view.showTyping([...typists.values()]);
});

socket.on("line", ({ room, line: { kind, nickname, was, at } }) => {
  if (room !== self?.room) return;
  const texts = {
    joined: `${nickname} joined`,
    left: `${nickname} left`,
    renamed: `${was} is now ${nickname}`,
  };
  messages.addLine(texts[kind], at);
});

socket.on("message", ({ room, message }) => {
  if (room !== self?.room) return;
  const here = roomList.find(({ name }) => name === room);
  if (here) unread.readAll({ ...here, said: ++here.said });
  typists.delete(message.from.id);
  view.showTyping([...typists.values()]);
  messages.addMessage(message);
});

socket.on("typing", ({ id, nickname, typing }) => {
  if (typing && people.some((person) => person.id === id)) typists.set(id, nickname);
  else typists.delete(id);
  view.showTyping([...typists.values()]);
});

// Writing

let typingTimer = null;

function tellTyping(typing) {
  if (joined) socket.emit("typing", typing);
}

function stopTyping() {
  if (typingTimer === null) return;
  clearTimeout(typingTimer);
  typingTimer = null;
  tellTyping(false);
}

parts.text.addEventListener("input", () => {
  if (parts.text.value.trim() === "") return stopTyping();
  if (typingTimer === null) tellTyping(true);
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, TYPING_PAUSE);
});

parts.text.addEventListener("keydown", (event) => {
  // While an input method composes a word, Enter belongs to it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  parts.messageForm.requestSubmit();
});

parts.messageForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = parts.text.value.trim();
  if (text === "") return;
  stopTyping();
  view.showSendError("");
  parts.text.value = "";
  outbox.add({ id: newId(), room: self.room, text });
});

parts.messages.addEventListener("click", ({ target }) => {
  const { retry, discard } = target.dataset;
  if (retry) outbox.retry(retry);
  if (!discard) return;
  outbox.discard(discard);
  messages.removeOutgoing(discard);
  parts.text.focus();
});

// Images: chosen, pasted or dropped

let upload = null;

async function send(file) {
  if (!file || upload) return;
  upload = new AbortController();
  view.showSendError("");
  const error = await sendImage(askInRoom, file, {
    id: newId(),
    limit: self.limits.image,
    signal: upload.signal,
    untilBack() {
      if (!joined) view.showUploadCut();
      return untilBack();
    },
    onProgress: (part) => view.showUpload(file.name, part),
  });
  upload = null;
  view.showUpload("", null);
  view.showSendError(error);
}

parts.image.addEventListener("change", () => {
  send(parts.image.files[0]);
  parts.image.value = ""; // So that the same file can be chosen again.
});

function cancelUpload() {
  upload?.abort();
  for (const resolve of waiters.splice(0)) resolve();
}

parts.uploadCancel.addEventListener("click", cancelUpload);

parts.text.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (!file) return;
  event.preventDefault();
  send(file);
});

parts.chat.addEventListener("dragover", (event) => event.preventDefault());
parts.chat.addEventListener("drop", (event) => {
  event.preventDefault();
  send(event.dataTransfer.files[0]);
});

// The sidebar of small screens

parts.sidebarToggle.addEventListener("click", () => {
  view.showSidebar(parts.chat.dataset.sidebar !== "open");
});
parts.scrim.addEventListener("click", () => view.showSidebar(false));
document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || parts.chat.dataset.sidebar !== "open") return;
  view.showSidebar(false);
  parts.sidebarToggle.focus();
});

const panel = startPanel({ outbox, isIn: () => joined });
