// The page's logic: what the server says goes to the view, what the person does goes to the server.

import { sendImage } from "./upload.js";
import * as view from "./view.js";

const { parts } = view;

/** How long a question to the server may stay unanswered. */
const PATIENCE = 10_000;

/** After this long without a key the others no longer read that we are typing. */
const TYPING_PAUSE = 3_000;

/** Who we are and where; null before the first join. */
let self = null;
let people = [];
let roomList = [];
/** Nicknames by id of those who are typing. */
const typists = new Map();

const socket = io();

/** By this the server knows a page that was reloaded. It stays in this tab. */
const token =
  sessionStorage.getItem("token") ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
sessionStorage.setItem("token", token);

/** Asks the server; resolves with an answer in any case. */
async function ask(event, ...args) {
  try {
    return await socket.timeout(PATIENCE).emitWithAck(event, ...args);
  } catch {
    return { ok: false, error: "The server did not answer. Try again." };
  }
}

// Joining, also again after a lost connection or a reload

async function join(nickname, room) {
  const answer = await ask("join", { nickname, room, token });
  if (!answer.ok) return answer.error;
  self = { nickname, id: answer.id, limits: answer.limits };
  sessionStorage.setItem("nickname", nickname);
  enter(answer);
  view.showChat();
  return "";
}

function enter({ room, history, ...look }) {
  self.room = room;
  sessionStorage.setItem("room", room);
  ({ people, rooms: roomList } = look);
  typists.clear();
  view.showTyping([]);
  view.showRoom(room, history, self.nickname);
  view.showPeople(people, self.id);
  view.showRooms(roomList, room);
  view.showSendError("");
}

async function switchRoom(name) {
  stopTyping();
  const answer = await ask("switch", name);
  if (!answer.ok) return view.showSendError(answer.error);
  enter(answer);
  view.showSidebar(false);
  parts.text.focus();
}

parts.joinForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  view.showJoinError("");
  view.showJoinError(await join(parts.nickname.value.trim(), parts.firstRoom.value));
});

parts.roomForm.addEventListener("submit", (event) => {
  event.preventDefault();
  switchRoom(parts.newRoom.value);
  parts.newRoom.value = "";
});

parts.rooms.addEventListener("click", ({ target }) => {
  const name = target.closest("[data-room]")?.dataset.room;
  if (name !== undefined) switchRoom(name);
});

// Connection

socket.on("connect", async () => {
  view.showNotice("");
  view.showConnection(true);
  const nickname = self?.nickname ?? sessionStorage.getItem("nickname");
  if (!nickname) return;
  const error = await join(nickname, self?.room ?? sessionStorage.getItem("room") ?? "lobby");
  if (error && self) view.showNotice(error);
  else if (error) view.showJoinError(error);
});

socket.on("disconnect", (reason) => {
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
  view.showRooms(rooms, self?.room);
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

socket.on("message", ({ room, message }) => {
  if (room !== self?.room) return;
  typists.delete(message.from.id);
  view.showTyping([...typists.values()]);
  view.addMessage(message, self.nickname);
});

socket.on("typing", ({ id, nickname, typing }) => {
  if (typing && people.some((person) => person.id === id)) typists.set(id, nickname);
  else typists.delete(id);
  view.showTyping([...typists.values()]);
});

// Writing

let typingTimer = null;

function stopTyping() {
  if (typingTimer === null) return;
  clearTimeout(typingTimer);
  typingTimer = null;
  socket.emit("typing", false);
}

parts.text.addEventListener("input", () => {
  if (parts.text.value.trim() === "") return stopTyping();
  if (typingTimer === null) socket.emit("typing", true);
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, TYPING_PAUSE);
});

parts.text.addEventListener("keydown", (event) => {
  // While an input method composes a word, Enter belongs to it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  parts.messageForm.requestSubmit();
});

parts.messageForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = parts.text.value;
  if (text.trim() === "" || !socket.connected) return;
  stopTyping();
  view.showSendError("");
  parts.text.value = "";
  const answer = await ask("message", text);
  if (answer.ok) return;
  view.showSendError(answer.error);
  if (parts.text.value === "") parts.text.value = text; // Nothing written is lost.
});

// Images: chosen, pasted or dropped

let upload = null;

async function send(file) {
  if (!file || upload || !socket.connected) return;
  upload = new AbortController();
  view.showSendError("");
  const error = await sendImage(ask, file, {
    limit: self.limits.image,
    signal: upload.signal,
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

parts.uploadCancel.addEventListener("click", () => upload?.abort());

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
