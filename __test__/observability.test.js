"use strict";

/** The files of `examples/observability/`: they name what there is, and a real Prometheus reads our metrics. */

const assert = require("node:assert/strict");
const { execFile, spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { promisify } = require("node:util");
const { io: connect } = require("socket.io-client");
const { Server } = require("..");
const { ensurePrometheus } = require("../scripts/lib/prometheus");
const { METRICS } = require("../lib/api/metrics-table");
const { observe } = require("../examples/observability/opentelemetry");
const { until, within } = require("./support/waiting");

const FOLDER = path.join(__dirname, "..", "examples", "observability");
const read = (name) => fs.readFileSync(path.join(FOLDER, name), "utf8");
/** Metrics that have no sample before something has been refused, has left or has come a slow way. */
const EMPTY = new Set([
  "socketio_sessions_closed",
  "socketio_requests_refused",
  "socketio_handshakes_limited",
  "socketio_traffic_limited",
  "socketio_sockets_disconnected",
  "socketio_slow_ways",
]);

/** The names of all series, and the labels of each. */
const SERIES = new Map(
  METRICS.flatMap(({ name, type, labels }) => {
    if (type === "counter") return [[`${name}_total`, labels]];
    if (type === "gauge") return [[name, labels]];
    return ["_bucket", "_count", "_sum"].map((suffix) => [name + suffix, labels]);
  }),
);

for (const name of ["dashboard.json", "alerts.yml"])
  test(`${name} asks for metrics and labels that there are`, () => {
    const text = read(name).replaceAll('\\"', '"');
    const found = [...text.matchAll(/(socketio_\w+)(?:\{([^}]*)\})?/g)];
    assert.ok(found.length > 5);
    for (const [, series, selector = ""] of found) {
      assert.ok(SERIES.has(series), series);
      for (const [, label] of selector.matchAll(/(\w+)(?:=~?|!=)"/g))
        assert.ok(label === "instance" || SERIES.get(series).includes(label), `${series} ${label}`);
    }
  });

/** Starts a server, and a client of it. */
async function start(t) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, { metrics: true, pingInterval: 100 });
  t.after(() => io.close());
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  const client = connect(`http://127.0.0.1:${port}`, { forceNew: true, transports: ["websocket"] });
  t.after(() => client.disconnect());
  await until(client, "connect");
  return { io, port };
}

test("opentelemetry.js hands all of them on", async (t) => {
  const { io } = await start(t);
  const made = [];
  const make = (kind) => (name, options) => {
    const instrument = { kind, name, ...options };
    made.push(instrument);
    return instrument;
  };
  let collect;
  const meter = {
    createObservableCounter: make("counter"),
    createObservableGauge: make("gauge"),
    addBatchObservableCallback: (callback, instruments) => {
      collect = callback;
      assert.deepEqual(instruments, made);
    },
  };
  observe(io, meter);
  for (const { name } of METRICS)
    assert.ok(
      made.some((one) => one.name.startsWith(name)),
      name,
    );
  const observed = [];
  collect({
    observe: ({ name, unit }, value, labels) => observed.push({ name, unit, value, labels }),
  });
  assert.deepEqual(
    observed.find(({ name }) => name === "socketio_sockets"),
    { name: "socketio_sockets", unit: "1", value: 1, labels: { namespace: "/" } },
  );
  for (const { value } of observed) assert.equal(typeof value, "number");
});

/** A port that is free now: Prometheus takes no socket that listens, and tells of none that the system has chosen. */
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await until(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts Prometheus with the example's configuration, for a server on another port; gives its own. */
async function startPrometheus(t, program, target) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-"));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const config = read("prometheus.yml")
    .replace("127.0.0.1:3000", `127.0.0.1:${target}`)
    .replace("scrape_interval: 5s", "scrape_interval: 1s");
  fs.writeFileSync(path.join(folder, "prometheus.yml"), config);
  fs.copyFileSync(path.join(FOLDER, "alerts.yml"), path.join(folder, "alerts.yml"));
  for (;;) {
    const port = await freePort();
    const child = spawn(
      program,
      [
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
    );
    const ended = new Promise((resolve) => child.once("close", resolve));
    t.after(() => {
      child.kill("SIGKILL");
      return ended;
    });
    let said = "";
    const ready = new Promise((resolve) => {
      child.stderr.setEncoding("utf8").on("data", (chunk) => {
        said += chunk;
        if (said.includes("Server is ready to receive web requests")) resolve(true);
      });
    });
    if (await within(Promise.race([ready, ended.then(() => false)]), "Prometheus", 60_000))
      return port;
    assert.match(said, /address already in use/); // somebody else was faster
  }
}

test(
  "a real Prometheus reads them, and takes the configuration",
  { timeout: 300_000 },
  async (t) => {
    const { prometheus, promtool } = await ensurePrometheus();
    await promisify(execFile)(promtool, ["check", "config", path.join(FOLDER, "prometheus.yml")]);
    const { port } = await start(t);
    const own = await startPrometheus(t, prometheus, port);
    const ask = async (query) => {
      const url = `http://127.0.0.1:${own}/api/v1/${query}`;
      const { status, data, error } = await (await fetch(url)).json();
      assert.equal(status, "success", error);
      return data;
    };
    const select = async (series) =>
      (await ask(`query?query=${encodeURIComponent(series)}`)).result;
    const scraped = async () => {
      for (;;) {
        const [target] = (await ask("targets")).activeTargets;
        assert.notEqual(target?.health, "down", target?.lastError);
        if ((await select('socketio_sockets{namespace="/"} == 1')).length === 1) return;
      }
    };
    await within(scraped(), "a scrape", 60_000);
    const {
      socketio_event_loop_delay_seconds: [delay],
      socketio_sockets: [sockets],
    } = await ask("metadata");
    assert.deepEqual([delay.type, delay.unit], ["histogram", "seconds"]); // it has read OpenMetrics
    assert.equal(sockets.help, "Sockets that are connected.");
    const names = new Set(await ask("label/__name__/values"));
    for (const { name, type } of METRICS) {
      if (EMPTY.has(name)) continue;
      const series = type === "counter" ? `${name}_total` : name;
      assert.ok(names.has(type === "histogram" ? `${name}_count` : series), series);
    }
    const buckets = await select("socketio_event_loop_delay_seconds_bucket");
    assert.ok(buckets.some(({ metric }) => metric.le === "+Inf"));
  },
);
