"use strict";

// Measures this server and its peers side by side: `npm run bench -- [--quick] [--case NAME]… [--peer NAME]…`.
//
// Every figure is taken from a fresh server process under the same load. The servers take turns within a
// round, and the rounds alternate who begins, so that a machine that gets slower does so for all of them.

const fs = require("node:fs");
const path = require("node:path");
const { parseArgs } = require("node:util");

const { cases, curves } = require("./cases.js");
const { bars } = require("./lib/bars.js");
const curve = require("./lib/curve.js");
const generator = require("./lib/generator.js");
const machine = require("./lib/machine.js");
const { list, update } = require("./lib/page.js");
const redis = require("./lib/redis.js");
const server = require("./lib/server.js");
const { isOutside, lacks, legend, table } = require("./lib/table.js");
const { tryAll } = require("./lib/trial-table.js");
const { peers } = require("./peers.js");
const { trials } = require("./trials/index.js");

const help = `npm run bench -- [options]
  --quick         few cases, this server and socket.io, shorter: about two minutes
  --case NAME     only this case (may be repeated): ${names(cases.filter(isAlone))};
                  all points of a load curve, or one (such as curve-5000): curve;
                  and never unless named: bursts, ${names(trials)}
  --peer NAME     only this server (may be repeated): ${names(peers)}
  --rounds N      rounds (3; with --quick 2)
  --secs N        seconds measured in each (5; with --quick 2)
  --save          write what was measured into RESULTS.md, as a run of everything does`;

/** Whether a case is a figure of its own: not a point of a load curve. */
function isAlone(oneCase) {
  return !oneCase.curve;
}

function names(all) {
  return all.map(({ name }) => name).join(", ");
}

const results = path.join(__dirname, "RESULTS.md");
const work = path.join(__dirname, ".work");

/** Seconds measured in each round, and before that let pass: to let V8 compile, and windows open. */
const FULL = { warm: 1.5, secs: 5, rounds: 3 };
const QUICK = { warm: 0.5, secs: 2, rounds: 2 };
/** Titles of sections of RESULTS.md; the load curves have their own. */
const CASES = "Cases";
const CLUSTER = "Cluster";
const TRIALS = "Trials";
/** Files that a process needs besides its connections. */
const SPARE_FILES = 200;

/** Whether one of them goes by a name: its own, or its load curve's. */
function isCalled(one, name) {
  return one.name === name || one.curve === name;
}

/** Those of `all` that are named, or that `quick` leaves; throws on a name that is none of theirs. */
function pick(all, chosen, quick, what) {
  const unknown = chosen?.find((name) => !all.some((one) => isCalled(one, name)));
  if (unknown !== undefined) throw new Error(`no such ${what}: ${unknown}\n\n${help}`);
  if (chosen) return all.filter((one) => chosen.some((name) => isCalled(one, name)));
  return all.filter((one) => (quick ? one.quick : !one.asked));
}

/** The cases, and the trials that are named. */
function pickCases(chosen, quick) {
  const all = pick([...cases, ...trials], chosen, quick, "case");
  return {
    cases: all.filter((one) => cases.includes(one)),
    trials: chosen ? all.filter((one) => trials.includes(one)) : [],
  };
}

/** A number of the command line, or what it is without. */
function positive(values, key, otherwise) {
  const value = values[key] === undefined ? otherwise : Number(values[key]);
  if (!(value > 0)) throw new Error(`--${key} takes a number above 0`);
  return value;
}

/** What the command line asks for. Throws on what it does not know. */
function readOptions() {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      case: { type: "string", multiple: true },
      peer: { type: "string", multiple: true },
      rounds: { type: "string" },
      secs: { type: "string" },
      save: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { quick } = values;
  const pace = quick ? QUICK : FULL;
  return {
    warm: pace.warm,
    secs: positive(values, "secs", pace.secs),
    rounds: Math.ceil(positive(values, "rounds", pace.rounds)),
    quick,
    help: values.help,
    ...pickCases(values.case, quick),
    peers: pick(peers, values.peer, quick, "server"),
    save: values.save || !(quick || values.case || values.peer),
  };
}

/** The peers that could be set up; why the others could not goes to `problems`. */
function setUp(chosen, problems) {
  return chosen.filter((peer) => {
    try {
      peer.setUp?.();
      return true;
    } catch (error) {
      problems.push(`${peer.title} is left out, it could not be set up: ${error.message}`);
      console.error(problems.at(-1));
      return false;
    }
  });
}

/** The generator's arguments for a case, within the open files that are allowed. */
function loadArguments(oneCase, { quick, warm, secs }) {
  const args = { ...oneCase.args, ...(quick && oneCase.quick) };
  const most = machine.openFilesLimit() - SPARE_FILES;
  if (args.conns > most) {
    console.error(`  ${oneCase.name}: ${most} connections, not ${args.conns} (see ulimit -n)`);
    args.conns = most;
  }
  return { warm, secs, ...args };
}

/** One figure: a fresh server, one load; before that, the one that the case wants to go first. */
async function measure(oneCase, peer, args, signal) {
  if (!oneCase.cluster) return measureServer(oneCase, peer, args, signal);
  const { port, stop } = await redis.start();
  try {
    return await measureServer(oneCase, peer, { ...args, redis: port }, signal);
  } finally {
    await stop();
  }
}

/** The same; `args.redis` is the port of Redis, if the server is the node of a cluster. */
async function measureServer(oneCase, peer, args, signal) {
  const running = await server.start(peer, oneCase, args.redis);
  try {
    const { first } = oneCase;
    const secs = Math.min(first?.args.secs, args.secs);
    if (first) await generator.run(first.mode, running, { ...first.args, secs }, signal);
    return await generator.run(oneCase.mode, running, args, signal);
  } catch (error) {
    throw new Error([error.message, running.stderr()].filter(Boolean).join("\n"), { cause: error });
  } finally {
    await running.stop();
  }
}

/** Whom a case is measured with in a round: who begins alternates. */
function turns(oneCase, all, round) {
  const able = all.filter((peer) => !lacks(peer, oneCase) && !isOutside(peer, oneCase));
  return round % 2 ? able : able.toReversed();
}

/**
 * All rounds of all cases, with progress on stderr; what goes wrong goes to `problems`.
 *
 * @returns {Promise<Map<string, object[]>>} the figures of `case/peer`, one a round
 */
async function measureAll(options, problems, signal) {
  const figures = new Map();
  const roundsOf = (oneCase) => Math.min(options.rounds, oneCase.rounds ?? Infinity);
  const total = options.cases
    .map((oneCase) => turns(oneCase, options.peers, 1).length * roundsOf(oneCase))
    .reduce((sum, count) => sum + count, 0);
  let done = 0;
  for (const oneCase of options.cases) {
    const args = loadArguments(oneCase, options);
    for (let round = 1; round <= roundsOf(oneCase); round++) {
      for (const peer of turns(oneCase, options.peers, round)) {
        done += 1;
        const label = `${oneCase.title} · ${peer.title} · round ${round}`;
        try {
          const figure = await measure(oneCase, peer, args, signal);
          const key = `${oneCase.name}/${peer.name}`;
          figures.set(key, [...(figures.get(key) ?? []), figure]);
          console.error(`[${done}/${total}] ${label}: ${summary(oneCase, figure)}`);
          if (figure.due > 0) {
            const share = Math.min(100, (100 * figure.count) / figure.due).toFixed(1);
            console.error(`    delivered ${figure.count} of ${figure.due} (${share} %)`);
          }
          if (figure.lost > 0) problems.push(`${label}: ${figure.lost} sessions not recovered`);
        } catch (error) {
          if (signal.aborted) throw new Error("interrupted", { cause: error });
          problems.push(`${label}: ${error.message.split("\n", 1)[0]}`);
          console.error(
            `[${done}/${total}] ${label}: FAILED\n${error.message.replace(/^/gm, "    ")}`,
          );
        }
      }
    }
  }
  return figures;
}

/** How late the generator may be with one paced event in a hundred, in microseconds. */
const LATE = 1000;

/** A figure in few words, for the progress. */
function summary(oneCase, figure) {
  const text = {
    per_s: `${figure.per_s.toLocaleString("en-US")}/s, ${figure.cpu_us.toFixed(2)} µs CPU each`,
    cpu_us: `${figure.cpu_us.toFixed(2)} µs CPU each`,
    kib_per_connection: `${figure.kib_per_connection.toFixed(1)} KiB a connection`,
  }[oneCase.by];
  // The generator has one thread: when it is busy all the time, the server could do more.
  if (figure.client_cores > 0.95) return `${text} (the generator is at its limit)`;
  // Then latencies tell about the machine.
  return figure.late_us > LATE ? `${text} (the generator was late: ${figure.late_us} µs)` : text;
}

/** How the run was made, and where. */
function circumstances(options) {
  const how = `${options.rounds} rounds of ${options.secs} s after ${options.warm} s`;
  const command = ["npm run bench", ...process.argv.slice(2)]
    .join(" ")
    .replace("bench ", "bench -- ");
  const date = new Date().toISOString().slice(0, 10);
  return [
    `\`${command}\` on ${date}: ${how}. Load and server share the machine.`,
    list(machine.describe(options.peers)),
  ];
}

/** The sections of the cases that are not points of a load curve: of a single server, and of the node of a cluster. */
function caseSections(options, roundsOf) {
  const alone = options.cases.filter(isAlone);
  const chosen = {
    [CASES]: alone.filter(({ cluster }) => !cluster),
    [CLUSTER]: alone.filter(({ cluster }) => cluster),
  };
  return Object.entries(chosen)
    .filter(([, some]) => some.length > 0)
    .map(([title, some]) => {
      const parts = [table(some, options.peers, roundsOf), list(legend)];
      return { title, text: parts[0], parts };
    });
}

/** Which colour a peer has in plots: always the same, whoever else is there. */
function styleOf(peer) {
  return peers.indexOf(peer);
}

/** The sections of the load curves, and their plots, which are files beside the page. */
function curveSections(options, roundsOf) {
  return curves.flatMap(({ name, title, about }) => {
    const points = options.cases.filter((oneCase) => oneCase.curve === name);
    if (points.length === 0) return [];
    const single = options.peers.filter(({ clustered }) => !clustered);
    const svg = curve.plot(points, single, styleOf, roundsOf);
    const file = `${name}.svg`;
    const text = curve.table(points, single, roundsOf);
    const image = svg ? [`![${title}](${file})`] : [];
    return [{ title, text, svg, file, parts: [about, ...image, text, list(curve.legend)] }];
  });
}

/** Writes the page and the plots. */
function save(sections, options, problems) {
  const wrong = problems.length > 0 ? ["What went wrong:", list(problems)] : [];
  const whole = sections.map(({ title, parts }) => ({
    title,
    parts: [...circumstances(options), ...parts, ...wrong],
  }));
  const order = [CASES, ...curves.map(({ title }) => title), CLUSTER, TRIALS];
  const old = fs.existsSync(results) ? fs.readFileSync(results, "utf8") : "";
  const page = update(old, whole, order);
  fs.writeFileSync(results, page);
  const svg = bars(page);
  if (svg) fs.writeFileSync(path.join(__dirname, "cases.svg"), svg);
  for (const { file, svg } of sections) if (svg) fs.writeFileSync(path.join(__dirname, file), svg);
  console.error(`written: ${path.relative(process.cwd(), results)}`);
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

  const problems = [];
  if (options.cases.length > 0) generator.build();
  options.peers = setUp(options.peers, problems);
  const began = Date.now();
  const figures = await measureAll(options, problems, interrupted.signal);
  const roundsOf = (caseName, peerName) => figures.get(`${caseName}/${peerName}`) ?? [];
  const sections = [...caseSections(options, roundsOf), ...curveSections(options, roundsOf)];
  const tried = await tryAll(options.trials, options.peers, problems, interrupted.signal);
  if (tried) sections.push({ title: TRIALS, text: tried, parts: [tried] });
  for (const { text } of sections) console.log(`\n${text}`);
  console.error(`\n${Math.round((Date.now() - began) / 1000)} s`);

  fs.mkdirSync(work, { recursive: true });
  fs.writeFileSync(path.join(work, "rounds.json"), JSON.stringify(Object.fromEntries(figures)));
  for (const { file, svg } of sections) if (svg) fs.writeFileSync(path.join(work, file), svg);
  if (problems.length > 0) {
    console.error(`What went wrong:\n${list(problems)}`);
    process.exitCode = 1;
  }
  if (options.save) save(sections, options, problems);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
