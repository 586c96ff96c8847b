// The page: a column for each node, with what it counts and a client of it.

/** What is shown of what a node counts, and whether it is told as so many a second. */
const COUNTS = [
  ["clients", "Clients", false],
  ["published", "Published", true],
  ["received", "Came from Redis", true],
  ["ignored", "… concerned nobody here", true],
  ["delivered", "… to clients, without JavaScript", true],
  ["toJavaScript", "… to JavaScript", true],
];
const LINES = 200; // that a column keeps

class Column {
  #node;
  #part;
  #client;

  constructor(node) {
    const { content } = document.querySelector("template");
    this.#part = content.cloneNode(true).firstElementChild;
    document.querySelector("main").append(this.#part);
    this.#node = node;
    this.#client = this.#connect();
    const press = (what) => () => fetch(`nodes/${node.number}/${what}`, { method: "POST" });
    this.#find(".toggle").onclick = press("toggle");
    this.#find(".flood").onclick = press("flood");
    this.#find("select").onchange = ({ target }) =>
      this.#client.emit("enter", target.value, () => this.#ask());
    this.#find("form").onsubmit = (event) => {
      event.preventDefault();
      const input = this.#find("input");
      if (input.value.trim() !== "") this.#client.emit("say", input.value);
      input.value = "";
    };
    setInterval(() => this.#ask(), 2_000);
  }

  #find(selector) {
    return this.#part.querySelector(selector);
  }

  #connect() {
    const client = io(`http://localhost:${this.#node.port}`, {
      auth: { name: `client ${this.#node.number}` },
    });
    client.on("connect", () => {
      this.#say("connected");
      client.emit("enter", this.#find("select").value, () => this.#ask());
    });
    client.on("disconnect", (reason) => this.#say(`disconnected: ${reason}`));
    client.on("said", ({ name, text, room, node }) =>
      this.#say(`${name} (${node}, ${room}): ${text}`),
    );
    return client;
  }

  #say(text) {
    const list = this.#find("ol");
    const line = document.createElement("li");
    line.textContent = text;
    list.append(line);
    if (list.children.length > LINES) list.firstElementChild.remove();
    list.scrollTop = list.scrollHeight;
  }

  #ask() {
    if (!this.#client.connected) return;
    this.#client.emit("who", (names) => {
      this.#find(".who").textContent = `In this room, on all nodes: ${names.join(", ")}`;
    });
  }

  show({ number, port, isUp, counts, news }) {
    this.#part.classList.toggle("down", !isUp);
    this.#find("h2").textContent = `Node ${number}, port ${port}`;
    this.#find(".toggle").textContent = isUp ? "Kill it" : "Start it again";
    const rows = COUNTS.flatMap(([name, label, isRate]) => {
      const term = document.createElement("dt");
      const value = document.createElement("dd");
      term.textContent = label;
      value.textContent = isRate ? `${news[name] ?? 0} / s` : (counts[name] ?? 0);
      return [term, value];
    });
    this.#find("dl").replaceChildren(...rows);
  }
}

const columns = new Map();
new EventSource("nodes").onmessage = ({ data }) => {
  for (const node of JSON.parse(data)) {
    if (!columns.has(node.number)) columns.set(node.number, new Column(node));
    columns.get(node.number).show(node);
  }
};
