"use strict";

// Measures this server and its peers side by side: `npm run bench -- [--quick] [--case NAME]… [--rounds N]`.
//
// Every figure is taken from a fresh server process under the same load. The servers take turns within a
// round, and the rounds alternate who begins, so that a machine that gets slower does so for all of them.

const fs = require("node:fs");
const path = require("node:path");
const { parseArgs } = require("node:util");

const { cases } = require("./cases.js");
const generator = require("./lib/generator.js");
const machine = require("./lib/machine.js");
const server = require("./lib/server.js");
const { legend, table } = require("./lib/table.js");
const { peers } = require("./peers.js");

const help = `npm run bench -- [options]
  --quick         shorter and fewer rounds: about two minutes
  --case NAME     only this case (may be repeated): ${cases.map(({ name }) => name).join(", ")}
  --peer NAME     only this server (may be repeated): ${peers.map(({ name }) => name).join(", ")}
  --rounds N      rounds (3; with --quick 2)`;

const results = path.join(__dirname, "RESULTS.md");
const work = path.join(__dirname, ".work");

/** Seconds measured in each round, and before that let pass: to let V8 compile, and windows open. */
const FULL = { warm: 1.5, secs: 5, rounds: 3 };
const QUICK = { warm: 0.5, secs: 2, rounds: 2 };
/** Files that a process needs besides its connections. */
const SPARE_FILES = 200;

/** Those of `all` that are named, or all; throws on a name that is none of theirs. */
function pick(all, names, what) {
  const unknown = names?.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) throw new Error(`no such ${what}: ${unknown}\n\n${help}`);
  return names ? all.filter(({ name }) => names.includes(name)) : all;
}

/** What the command line asks for. Throws on what it does not know. */
function readOptions() {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      case: { type: "string", multiple: true },
      peer: { type: "string", multiple: true },
      rounds: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const pace = values.quick ? QUICK : FULL;
  const rounds = values.rounds === undefined ? pace.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a whole number");
  return {
    ...pace,
    rounds,
    quick: values.quick,
    help: values.help,
    cases: pick(cases, values.case, "case"),
    peers: pick(peers, values.peer, "server"),
    complete: !values.case && !values.peer,
  };
}

/** The generator's arguments for a case, within the open files that are allowed. */
function loadArguments(oneCase, { quick, warm, secs }) {
  const args = { warm, secs, ...oneCase.args, ...(quick && oneCase.quick) };
  const most = machine.openFilesLimit() - SPARE_FILES;
  if (args.conns > most) {
    console.error(`  ${oneCase.name}: ${most} connections, not ${args.conns} (see ulimit -n)`);
    args.conns = most;
  }
  return args;
}

/** One figure: a fresh server, one load. */
async function measure(oneCase, peer, args, signal) {
  const running = await server.start(peer);
  try {
    return await generator.run(oneCase.mode, running, args, signal);
  } catch (error) {
    throw new Error([error.message, running.stderr()].filter(Boolean).join("\n"), { cause: error });
  } finally {
    await running.stop();
  }
}

/** All rounds of all cases, with progress on stderr. */
async function measureAll(options, signal) {
  const figures = new Map();
  const roundsOf = (caseName, peerName) => {
    const key = `${caseName}/${peerName}`;
    if (!figures.has(key)) figures.set(key, []);
    return figures.get(key);
  };
  let failures = 0;
  let done = 0;
  const total = options.cases.length * options.peers.length * options.rounds;
  for (const oneCase of options.cases) {
    const args = loadArguments(oneCase, options);
    for (let round = 1; round <= options.rounds; round += 1) {
      const order = round % 2 ? options.peers : options.peers.toReversed();
      for (const peer of order) {
        done += 1;
        const label = `[${done}/${total}] ${oneCase.title} · ${peer.title} · round ${round}`;
        try {
          const figure = await measure(oneCase, peer, args, signal);
          roundsOf(oneCase.name, peer.name).push(figure);
          console.error(`${label}: ${summary(oneCase, figure)}`);
        } catch (error) {
          if (signal.aborted) throw new Error("interrupted", { cause: error });
          failures += 1;
          console.error(`${label}: FAILED\n${error.message.replace(/^/gm, "    ")}`);
        }
      }
    }
  }
  return { roundsOf, failures, figures };
}

/** A figure in few words, for the progress. */
function summary(oneCase, figure) {
  const text = {
    per_s: `${figure.per_s.toLocaleString("en-US")}/s, ${figure.cpu_us.toFixed(2)} µs CPU each`,
    cpu_us: `${figure.cpu_us.toFixed(2)} µs CPU each`,
    kib_per_connection: `${figure.kib_per_connection.toFixed(1)} KiB a connection`,
  }[oneCase.by];
  // The generator has one thread: when it is busy all the time, the server could do more.
  return figure.client_cores > 0.95 ? `${text} (the generator is at its limit)` : text;
}

/** A Markdown list. */
function list(lines) {
  return lines.map((line) => `- ${line}`).join("\n");
}

/** The results as a page. */
function page(options, text) {
  const facts = machine.describe(options.peers);
  const how = `${options.rounds} rounds of ${options.secs} s after ${options.warm} s`;
  const command = options.quick ? "npm run bench -- --quick" : "npm run bench";
  return `# Results

\`${command}\` on ${new Date().toISOString().slice(0, 10)}: ${how}. Load and server share the machine.

${list(facts)}

${text}

${list(legend)}
`;
}

async function main() {
  if (process.platform !== "linux") {
    throw new Error("the benchmark reads CPU time and memory from /proc: it needs Linux");
  }
  const options = readOptions();
  if (options.help) {
    console.log(help);
    return;
  }
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupted.abort());

  console.error("building the load generator");
  generator.build();
  const began = Date.now();
  const { roundsOf, failures, figures } = await measureAll(options, interrupted.signal);
  const text = table(options.cases, options.peers, roundsOf);
  console.log(`\n${text}\n`);
  console.error(`${Math.round((Date.now() - began) / 1000)} s`);

  fs.mkdirSync(work, { recursive: true });
  fs.writeFileSync(path.join(work, "rounds.json"), JSON.stringify(Object.fromEntries(figures)));
  if (failures > 0) {
    console.error(`${failures} measurements failed: RESULTS.md is left as it was`);
    process.exitCode = 1;
  } else if (options.complete) {
    fs.writeFileSync(results, page(options, text));
    console.error(`written: ${path.relative(process.cwd(), results)}`);
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
