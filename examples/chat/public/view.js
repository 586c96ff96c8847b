// Everything that touches the document. What people wrote becomes text nodes, never HTML.

const byId = (id) => document.getElementById(id);

/** The parts of the page that the other modules listen to. */
export const parts = {
  chat: byId("chat"),
  image: byId("image"),
  joinForm: byId("join-form"),
  messageForm: byId("message-form"),
  messages: byId("messages"),
  newRoom: byId("new-room"),
  nickname: byId("nickname"),
  firstRoom: byId("first-room"),
  roomForm: byId("room-form"),
  rooms: byId("rooms"),
  scrim: byId("scrim"),
  sidebarToggle: byId("sidebar-toggle"),
  text: byId("text"),
  uploadCancel: byId("upload-cancel"),
};

/** Messages that stay in the document; older ones go, and the memory of their images with them. */
const MAX_MESSAGES = 300;

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** Makes an element with text in it. */
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A coloured circle with the first letter; the colour follows from the nickname. */
function avatar(nickname) {
  const element = make("span", "avatar", [...nickname][0].toUpperCase());
  let hue = 0;
  for (const letter of nickname) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  element.style.setProperty("--hue", hue);
  element.setAttribute("aria-hidden", "true");
  return element;
}

/** Changes from the nickname form to the chat. */
export function showChat() {
  if (!parts.chat.hidden) return;
  byId("welcome").hidden = true;
  parts.chat.hidden = false;
  parts.text.focus();
}

/** A line over everything; an empty text takes it away. */
export function showNotice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = text === "";
}

/** The lamp in the corner, and whether anything can be sent. @param {boolean} online */
export function showConnection(online) {
  byId("connection").dataset.state = online ? "online" : "offline";
  byId("connection").textContent = online ? "online" : "offline";
  for (const button of parts.messageForm.querySelectorAll("button, input")) {
    button.disabled = !online;
  }
}

/** @param {string} error empty takes it away */
export const showJoinError = (error) => (byId("join-error").textContent = error);

/** @param {string} error empty takes it away */
export const showSendError = (error) => (byId("send-error").textContent = error);

/** The list of rooms, the one we are in marked. */
export function showRooms(rooms, current) {
  const had = document.activeElement?.dataset.room;
  const buttons = rooms.map(({ name, people }) => {
    const button = make("button");
    button.type = "button";
    button.dataset.room = name;
    if (name === current) button.setAttribute("aria-current", "true");
    const count = make("span", "count", people);
    count.setAttribute("aria-label", `${people} online`);
    button.append(make("span", "name", name), count);
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

/** The title of the room, and its history in place of what was shown. */
export function showRoom(room, history, ownNickname) {
  byId("room-title").textContent = room;
  document.title = `${room} – Ferrochat`;
  for (const element of parts.messages.children) forget(element);
  parts.messages.replaceChildren();
  parts.messages.append(make("p", "empty", "Nothing here yet. Say hello!"));
  for (const message of history) addMessage(message, ownNickname);
  toEnd();
}

// The end of the list stays in view, unless someone has scrolled up to read: when messages come, when an image gets its
// height, when the list itself shrinks because a line appears above or below it.
let atEnd = true;
const toEnd = () => (parts.messages.scrollTop = parts.messages.scrollHeight);
const stayAtEnd = () => atEnd && toEnd();
parts.messages.addEventListener("scroll", () => {
  const { clientHeight, scrollHeight, scrollTop } = parts.messages;
  atEnd = scrollHeight - scrollTop - clientHeight < 40;
});
new ResizeObserver(stayAtEnd).observe(parts.messages);

/** Appends a message. Nicknames tell whose it is: unlike socket ids, they survive a reconnection. */
export function addMessage({ at, from, text, image }, ownNickname) {
  const mine = from.nickname === ownNickname;
  const article = make("article", mine ? "message mine" : "message");
  const body = make("div");
  const header = make("header");
  const sent = new Date(at);
  const when = make("time", "quiet", time.format(sent));
  when.dateTime = sent.toISOString();
  header.append(make("span", "author", mine ? "You" : from.nickname), when);
  body.append(header, image ? picture(image) : make("div", "bubble", text));
  article.append(avatar(from.nickname), body);

  const list = parts.messages;
  list.querySelector(".empty")?.remove();
  list.append(article);
  if (list.children.length > MAX_MESSAGES) {
    forget(list.firstChild);
    list.firstChild.remove();
  }
  if (mine) toEnd();
  else stayAtEnd();
}

/** An image of the bytes that arrived; the server has said what type they are. */
function picture({ name, type, data }) {
  const element = make("div", "bubble picture");
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([data], { type }));
  image.alt = name;
  image.title = name;
  image.addEventListener("load", stayAtEnd, { once: true });
  element.append(image);
  return element;
}

/** Gives back the memory of a message's image. */
function forget(element) {
  const image = element.querySelector?.("img");
  if (image) URL.revokeObjectURL(image.src);
}

/** The progress of an upload: 0 to 1; null when there is none. */
export function showUpload(name, progress) {
  byId("upload").hidden = progress === null;
  if (progress === null) return;
  byId("upload-name").textContent = name;
  byId("upload-percent").textContent = `${Math.round(progress * 100)} %`;
  byId("upload-progress").value = progress;
}

/** Opens or closes the sidebar of small screens. @param {boolean} open */
export function showSidebar(open) {
  parts.chat.dataset.sidebar = open ? "open" : "closed";
  parts.sidebarToggle.setAttribute("aria-expanded", open);
  parts.scrim.hidden = !open;
  if (open) parts.rooms.querySelector("button")?.focus();
}
