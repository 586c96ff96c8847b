// Small parts of the document. What people wrote becomes text nodes, never HTML.

/** @param {string} id */
export const byId = (id) => document.getElementById(id);

/** Makes an element with text in it. */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Makes a button that does no more than be pressed. */
export function makeButton(text, data) {
  const button = make("button", "", text);
  button.type = "button";
  Object.assign(button.dataset, data);
  return button;
}

/** A coloured circle with the first letter; the colour follows from the nickname. */
export function avatar(nickname) {
  const element = make("span", "avatar", [...nickname][0].toUpperCase());
  let hue = 0;
  for (const letter of nickname) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  element.style.setProperty("--hue", hue);
  element.setAttribute("aria-hidden", "true");
  return element;
}

const ADDRESS = /https?:\/\/[^\s<>"]+/gi;

/** A text in which addresses of the web have become links. @param {string} text @returns {(string | Element)[]} */
export function withLinks(text) {
  const parts = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(ADDRESS)) {
    const address = withoutSentence(match);
    if (!URL.canParse(address)) continue;
    const link = make("a", "", address);
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    parts.push(text.slice(end, index), link);
    end = index + address.length;
  }
  return [...parts, text.slice(end)];
}

/** An address without what belongs to the sentence around it: its full stop, or the bracket in which it stands. */
function withoutSentence(address) {
  let rest = address;
  for (;;) {
    const last = rest.at(-1);
    const closesOwn = last === ")" && rest.split("(").length >= rest.split(")").length;
    if (!/[.,;:!?'")\]}*]/.test(last) || closesOwn) return rest;
    rest = rest.slice(0, -1);
  }
}
