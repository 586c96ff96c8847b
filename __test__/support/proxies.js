"use strict";

/** nginx and HAProxy before a server, as people set them up. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { ensureProxy } = require("../../scripts/lib/proxies");
const { until, within } = require("./waiting");

const EXAMPLES = path.join(__dirname, "..", "..", "examples", "production");
/** The configurations that the documents show: files of `examples/production/`. */
const SHOWN = {
  "nginx, as in the documents": "nginx.conf",
  "nginx, as in the documents, two servers": "nginx-sticky.conf",
  HAProxy: "haproxy.cfg",
  "HAProxy, two servers": "haproxy-sticky.cfg",
};

/** What stands in nginx's `location`, and in its `upstream`. */
const NGINX = {
  "nginx, one line": { location: "" },
  "nginx, kept connections": {
    upstream: "keepalive 64;",
    location: 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;',
  },
  "nginx, upgrades by a map": {
    location:
      "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; " +
      "proxy_set_header Connection $connection_upgrade; proxy_set_header Host $host;",
  },
  "nginx, upgrades always": {
    location:
      "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; " +
      'proxy_set_header Connection "upgrade"; proxy_set_header Host $host; ' +
      "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
  },
};

const HAPROXY = {
  "HAProxy, no kept connections": "option httpclose",
};

/** Those that pass on bytes, and say first for whom: what stands behind the server of HAProxy, and in the one of nginx. */
const INTRODUCING = {
  "HAProxy, PROXY protocol": "send-proxy",
  "HAProxy, PROXY protocol 2": "send-proxy-v2",
  "nginx, stream": "proxy_protocol on;",
};

/** Where Debian and Red Hat have the module; elsewhere it is a part of nginx. */
const STREAM_MODULES = [
  "/usr/lib/nginx/modules/ngx_stream_module.so",
  "/usr/lib64/nginx/modules/ngx_stream_module.so",
];

/** What belongs into nginx's `http`. */
function nginxSite(port, upstreamPort, { upstream = "", location }) {
  return `
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  upstream app { server 127.0.0.1:${upstreamPort}; ${upstream} }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://app; ${location} }
  }`;
}

/** What nginx is told that passes on bytes. */
function nginxStream(port, upstreamPort, lines) {
  return `
stream {
  server {
    listen 127.0.0.1:${port};
    proxy_pass 127.0.0.1:${upstreamPort};
    ${lines}
  }
}
`;
}

/** The same with HTTP: what belongs to that, around what a test is about. */
function nginxHttp(folder, site) {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join("\n  ");
  return `
http {
  access_log off;
  ${temporary}
  ${site}
}
`;
}

/** All that nginx is told. */
function nginxConfig(folder, rest) {
  const module = STREAM_MODULES.find((file) => fs.existsSync(file));
  return `daemon off;
${module === undefined ? "" : `load_module ${module};`}
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
pid ${folder}/pid;
error_log stderr error;
events { worker_connections 1024; }
${rest}`;
}

function haproxyConfig(fd, upstreamPort, { mode = "http", option = "", send = "" }) {
  return `global
  maxconn 1024
defaults
  mode ${mode}
  timeout connect 20s
  timeout client 60s
  timeout server 60s
  ${option}
frontend front
  bind fd@${fd}
  default_backend app
backend app
  server one 127.0.0.1:${upstreamPort} ${send}
`;
}

/** A configuration of the documents, with the ports of a test in the place of its own. */
function shownConfig(file, listening, upstreamPorts) {
  const text = fs.readFileSync(path.join(EXAMPLES, file), "utf8");
  const config = upstreamPorts.reduce(
    (rest, port, n) => rest.replace(`127.0.0.1:${3000 + n}`, `127.0.0.1:${port}`),
    text.replace("listen 80;", `listen ${listening};`).replace("bind :80", `bind ${listening}`),
  );
  assert.doesNotMatch(config, /:300\d|\b80\b/);
  return config;
}

/**
 * What a proxy is told.
 *
 * @param {string} name
 * @param {string} folder where nginx may write
 * @param {number} port it listens on
 * @param {number} fd the same as a descriptor, for HAProxy
 * @param {number[]} upstreamPorts
 */
function configure(name, folder, port, fd, upstreamPorts) {
  const listening = isNginx(name) ? `127.0.0.1:${port}` : `fd@${fd}`;
  if (name in SHOWN) {
    const config = shownConfig(SHOWN[name], listening, upstreamPorts);
    return isNginx(name) ? nginxConfig(folder, nginxHttp(folder, config)) : config;
  }
  const [upstreamPort] = upstreamPorts;
  const introducing = INTRODUCING[name];
  if (!isNginx(name)) {
    const given = introducing ? { mode: "tcp", send: introducing } : { option: HAPROXY[name] };
    return haproxyConfig(fd, upstreamPort, given);
  }
  return nginxConfig(
    folder,
    introducing
      ? nginxStream(port, upstreamPort, introducing)
      : nginxHttp(folder, nginxSite(port, upstreamPort, NGINX[name])),
  );
}

const isNginx = (name) => name.startsWith("nginx");

/**
 * Starts a proxy. It inherits a socket that listens already: so no port is taken by somebody else meanwhile, and nobody has to
 * wait until it is ready.
 *
 * @param {string} name
 * @param {number[]} upstreamPorts of the server, or the two of them
 * @returns {Promise<{ port: number, stop: () => Promise<void> }>}
 */
async function startProxy(name, ...upstreamPorts) {
  const program = await ensureProxy(isNginx(name) ? "nginx" : "haproxy");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "proxy-"));
  const file = path.join(folder, "config");
  const listener = net.createServer();
  listener.listen(0, "127.0.0.1");
  await until(listener, "listening");
  const { port } = listener.address();
  const fd = 3;
  fs.writeFileSync(file, configure(name, folder, port, fd, upstreamPorts));
  const args = isNginx(name) ? ["-p", folder, "-c", file] : ["-db", "-f", file];
  const child = spawn(program, args, {
    env: isNginx(name) ? { ...process.env, NGINX: `${fd};` } : process.env, // where it looks for sockets
    stdio: ["ignore", "pipe", "pipe", listener._handle.fd],
  });
  listener.close();
  const kill = () => child.kill();
  process.once("exit", kill); // whatever ends the tests
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => (output += chunk));
  const end = new Promise((resolve) => child.once("close", resolve));
  return {
    port,
    async stop() {
      process.removeListener("exit", kill);
      kill();
      await within(end, `the end of ${name}: ${output}`);
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Those with one server. */
const PROXIES = [...Object.keys(NGINX), ...Object.keys(HAPROXY), ...Object.keys(SHOWN)].filter(
  (name) => !name.endsWith("two servers"),
);
/** Those that let a WebSocket through. */
const UPGRADING = PROXIES.filter((name) => !/one line$|^nginx, kept connections$/.test(name));
/** Those with two servers, and sticky sessions. */
const STICKY = Object.keys(SHOWN).filter((name) => name.endsWith("two servers"));

module.exports = { INTRODUCING: Object.keys(INTRODUCING), PROXIES, startProxy, STICKY, UPGRADING };
