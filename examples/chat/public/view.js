// The document around the list of messages.

import { avatar, byId, make, makeButton } from "./make.js";

/** The parts of the page that the other modules listen to. */
export const parts = {
  chat: byId("chat"),
  image: byId("image"),
  joinForm: byId("join-form"),
  leave: byId("leave"),
  messageForm: byId("message-form"),
  messages: byId("messages"),
  newNickname: byId("new-nickname"),
  newRoom: byId("new-room"),
  nickname: byId("nickname"),
  firstRoom: byId("first-room"),
  rename: byId("rename"),
  renameCancel: byId("rename-cancel"),
  renameDialog: byId("rename-dialog"),
  renameForm: byId("rename-form"),
  roomForm: byId("room-form"),
  rooms: byId("rooms"),
  scrim: byId("scrim"),
  sidebarToggle: byId("sidebar-toggle"),
  text: byId("text"),
  toEnd: byId("to-end"),
  uploadCancel: byId("upload-cancel"),
};

/** Changes from the nickname form to the chat. */
export function showChat() {
  if (!parts.chat.hidden) return;
  byId("welcome").hidden = true;
  parts.chat.hidden = false;
  parts.text.focus();
}

/** Changes back to the nickname form. @param {string} nickname to start with @param {string} room */
export function showWelcome(nickname, room) {
  parts.chat.hidden = true;
  byId("welcome").hidden = false;
  document.title = "Ferrochat";
  parts.nickname.value = nickname;
  parts.firstRoom.value = room;
  parts.nickname.focus();
}

/** A line over everything; an empty text takes it away. */
export function showNotice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = text === "";
}

/** The lamp in the corner. @param {boolean} online */
export function showConnection(online) {
  byId("connection").dataset.state = online ? "online" : "offline";
  byId("connection").textContent = online ? "online" : "offline";
}

/** Shows at a field why its content was refused. @param {string} error empty takes it away */
function showError(id, field, error) {
  byId(id).textContent = error;
  if (error) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

/** @param {string} error empty takes it away */
export const showJoinError = (error) => showError("join-error", parts.nickname, error);

/** @param {string} error empty takes it away */
export const showRoomError = (error) => showError("room-error", parts.newRoom, error);

/** @param {string} error empty takes it away */
export const showRenameError = (error) => showError("rename-error", parts.newNickname, error);

/** @param {string} error empty takes it away */
export const showSendError = (error) => (byId("send-error").textContent = error);

/** @param {string} room @param {number} unseen messages here @param {number} elsewhere unread ones of other rooms */
export function showTitle(room, unseen, elsewhere) {
  const unread = unseen + elsewhere;
  // On small screens the list of rooms is behind this button.
  parts.sidebarToggle.toggleAttribute("data-unread", elsewhere > 0);
  parts.sidebarToggle.setAttribute(
    "aria-label",
    `Rooms and people${elsewhere > 0 ? `, ${elsewhere} unread` : ""}`,
  );
  byId("room-title").textContent = room;
  document.title = `${unread > 0 ? `(${unread}) ` : ""}${room} – Ferrochat`;
}

/** The list of rooms, the one we are in marked. @param {(room: object) => number} unreadOf */
export function showRooms(rooms, current, unreadOf) {
  const had = document.activeElement?.dataset.room;
  const buttons = rooms.map((room) => {
    const { name, people } = room;
    const button = makeButton(undefined, { room: name });
    if (name === current) button.setAttribute("aria-current", "true");
    button.append(make("span", "name", name));
    const unread = unreadOf(room);
    if (unread > 0) button.append(badge(unread, `${unread} unread`, "unread"));
    button.append(badge(people, `${people} online`, ""));
    return button;
  });
  parts.rooms.replaceChildren(
    ...buttons.map((button) => {
      const item = make("li");
      item.append(button);
      return item;
    }),
  );
  // The list is made anew while someone may be going through it with the keyboard.
  if (had !== undefined) buttons.find(({ dataset }) => dataset.room === had)?.focus();
  byId("room-names").replaceChildren(...rooms.map(({ name }) => new Option(name, name)));
}

/** A number, and what it says to who doesn't see where it stands. */
function badge(count, meaning, className) {
  const element = make("span", `count ${className}`.trim());
  const number = make("span", "", count);
  number.setAttribute("aria-hidden", "true");
  element.append(number, make("span", "hidden", ` ${meaning} `));
  return element;
}

/** Who is in the room. */
export function showPeople(people, ownId) {
  byId("people-count").textContent = people.length;
  byId("people").replaceChildren(
    ...people.map(({ id, nickname }) => {
      const item = make("li");
      item.append(
        avatar(nickname),
        make("span", "name", id === ownId ? `${nickname} (you)` : nickname),
      );
      return item;
    }),
  );
}

/** @param {string[]} nicknames of those who are writing */
export function showTyping(nicknames) {
  let text = "";
  if (nicknames.length === 1) text = `${nicknames[0]} is typing…`;
  else if (nicknames.length === 2) text = `${nicknames.join(" and ")} are typing…`;
  else if (nicknames.length > 2) text = "Several people are typing…";
  byId("typing").textContent = text;
}

/** The way down to the newest message, for who has scrolled up. @param {number} unseen @param {boolean} atEnd */
export function showToEnd(unseen, atEnd) {
  parts.toEnd.hidden = atEnd;
  if (unseen === 0) parts.toEnd.textContent = "To the newest";
  else parts.toEnd.textContent = unseen === 1 ? "1 new message" : `${unseen} new messages`;
}

/** The progress of an upload: 0 to 1; null when there is none. */
export function showUpload(name, progress) {
  byId("upload").hidden = progress === null;
  byId("upload-cut").textContent = "";
  if (progress === null) return;
  byId("upload-name").textContent = name;
  byId("upload-percent").textContent = `${Math.round(progress * 100)} %`;
  byId("upload-progress").value = progress;
}

/** The connection went in the middle of an upload. */
export function showUploadCut() {
  byId("upload-cut").textContent = "Cut off. It is sent again when the connection is back.";
}

/** Opens or closes the sidebar of small screens. @param {boolean} open */
export function showSidebar(open) {
  parts.chat.dataset.sidebar = open ? "open" : "closed";
  parts.sidebarToggle.setAttribute("aria-expanded", open);
  parts.scrim.hidden = !open;
  if (open) parts.rooms.querySelector("button")?.focus();
}
