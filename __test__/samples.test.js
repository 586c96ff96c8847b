"use strict";

/**
 * Code in the documents. JavaScript and TypeScript is compiled against our types, and what is a whole program is a file of `examples/`
 * that runs here; commands of a shell are parsed, and the scripts and variables that they name are there.
 */

const assert = require("node:assert/strict");
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const ts = require("typescript");
const { ours } = require("./support/implementations");
const { until } = require("./support/waiting");
const { PAGES } = require("../site/pages");
const { scripts } = require("../package.json");

const ROOT = path.resolve(__dirname, "..");
/** Languages that say nothing of a program: pictures, and configurations, which are files of `examples/`. */
const OTHERS = ["text", "nginx", "haproxy", "dockerfile", "yaml"];
/** What a part of a program takes for granted. */
const GIVEN = `
import type { Server as HttpServer } from "node:http";
import type { Server } from "socket.io";
declare global {
  const io: Server;
  const httpServer: HttpServer;
  const key: string;
  const cert: string;
}
`;
/** Packages of which we have no types here: `npm run test:ecosystem` runs what uses them. */
const UNTYPED = ["@socket.io/redis-adapter", "redis", "express"];

/**
 * @typedef {object} Block
 * @property {string} where file and line
 * @property {string} language
 * @property {string} code
 */

/** @returns {Block[]} all blocks of code on the site */
function blocks() {
  return PAGES.flatMap(({ file }) => {
    const lines = fs.readFileSync(path.join(ROOT, file), "utf8").split("\n");
    const found = [];
    for (let at = 0; at < lines.length; at++) {
      const language = /^\s*```(\w*)$/.exec(lines[at])?.[1];
      if (language === undefined) continue;
      const end = lines.findIndex((line, n) => n > at && line.trim() === "```");
      found.push({
        where: `${file}:${at + 1}`,
        language,
        code: `${lines.slice(at + 1, end).join("\n")}\n`,
      });
      at = end;
    }
    return found;
  });
}

const ALL = blocks();

test("each block of code says what it is", () => {
  const known = new Set(["js", "ts", "json", "sh", ...OTHERS]);
  const unknown = ALL.filter(({ language }) => !known.has(language));
  assert.deepEqual(
    unknown.map(({ where, language }) => [where, language]),
    [],
  );
});

test("JavaScript and TypeScript compile", (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "samples-"));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const write = (name, text) => {
    fs.writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const samples = ALL.filter(({ language }) => ["js", "ts"].includes(language));
  assert.ok(samples.length > 8);
  const names = samples.map(({ language, code }, n) => write(`sample${n}.${language}`, code));
  const untyped = UNTYPED.map((name) => `declare module "${name}";`).join("\n");
  const files = [...names, write("given.d.ts", GIVEN), write("untyped.d.ts", untyped)];
  const program = ts.createProgram(files, {
    allowJs: true,
    checkJs: true,
    noEmit: true,
    strict: true,
    noImplicitAny: false,
    skipLibCheck: true,
    esModuleInterop: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.Node20,
    moduleDetection: ts.ModuleDetectionKind.Force,
    typeRoots: [path.join(ROOT, "node_modules/@types")],
    types: ["node"],
    paths: {
      "socket.io": [path.join(ROOT, "index.d.ts")],
      ferrosocket: [path.join(ROOT, "index.d.ts")],
      "ferrosocket/v2": [path.join(ROOT, "v2/index.d.ts")],
      "ferrosocket/*": [path.join(ROOT, "*")],
      "*": [path.join(ROOT, "node_modules/*")],
    },
  });
  const faults = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const sample = samples[names.indexOf(file?.fileName ?? "")];
    const { line = 0 } = file?.getLineAndCharacterOfPosition(start) ?? {};
    return `${sample?.where ?? file?.fileName} + ${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
  assert.deepEqual(faults, []);
});

test("JSON is JSON", () => {
  for (const { where, language, code } of ALL)
    if (language === "json") assert.doesNotThrow(() => JSON.parse(code), where);
});

test(
  "commands can be parsed, and what they name of ours is there",
  { skip: process.platform === "win32" },
  () => {
    const sources = ["lib", "scripts", "src"].flatMap((folder) =>
      fs
        .readdirSync(path.join(ROOT, folder), { recursive: true })
        .map((name) => path.join(ROOT, folder, name))
        .filter((name) => /\.(js|rs)$/.test(name)),
    );
    const all = sources.map((name) => fs.readFileSync(name, "utf8")).join("\n");
    for (const { where, language, code } of ALL) {
      if (language !== "sh") continue;
      const { status, stderr } = spawnSync("sh", ["-n"], { input: code, encoding: "utf8" });
      assert.equal(status, 0, `${where}: ${stderr}`);
      for (const [, name] of code.matchAll(/npm run ([\w:-]+)/g))
        assert.ok(name in scripts, `${where}: npm run ${name}`);
      for (const [, command] of code.matchAll(/npx ferrosocket (\w+)/g))
        assert.equal(command, "doctor", where);
      for (const [name] of code.matchAll(/FERROSOCKET_\w+/g))
        assert.ok(all.includes(name), `${where}: ${name}`);
    }
  },
);

test("the first program and its client talk", { timeout: 60_000 }, async (t) => {
  const run = (name, ...args) => {
    const alias = path.join(__dirname, "children", "alias.js");
    const file = path.join(ROOT, "examples", "start", name);
    const child = spawn(process.execPath, ["--require", alias, file, ...args], {
      env: { ...process.env, PORT: "0", ALIAS_OF_SOCKET_IO: ours.path },
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill());
    child.stdout.setEncoding("utf8");
    return child;
  };
  const [line] = await until(run("server.js").stdout, "data");
  const [, port] = /^listening on .* port: (\d+) \}\n$/.exec(line);
  const url = `http://127.0.0.1:${port}`;
  const first = run("client.js", url);
  assert.equal((await until(first.stdout, "data"))[0], "the server says { ok: true }\n");
  const heard = until(first.stdout, "data");
  const second = run("client.js", url);
  assert.equal((await until(second.stdout, "data"))[0], "the server says { ok: true }\n");
  assert.match((await heard)[0], /^\S{20}: hello\n$/);
});
