"use strict";

/** nginx and HAProxy before a server, as people set them up. */

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { ensureProxy } = require("../../scripts/lib/proxies");
const { until, within } = require("./waiting");

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
  HAProxy: "",
  "HAProxy, no kept connections": "option httpclose",
};

function nginxConfig(folder, port, upstreamPort, { upstream = "", location }) {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join("\n  ");
  return `daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
pid ${folder}/pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary}
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  upstream app { server 127.0.0.1:${upstreamPort}; ${upstream} }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://app; ${location} }
  }
}
`;
}

function haproxyConfig(fd, upstreamPort, option) {
  return `global
  maxconn 1024
defaults
  mode http
  timeout connect 20s
  timeout client 60s
  timeout server 60s
  ${option}
frontend front
  bind fd@${fd}
  default_backend app
backend app
  server one 127.0.0.1:${upstreamPort}
`;
}

/**
 * Starts a proxy. It inherits a socket that listens already: so no port is taken by somebody else meanwhile, and nobody has to
 * wait until it is ready.
 *
 * @param {string} name one of PROXIES
 * @param {number} upstreamPort
 * @returns {Promise<{ port: number, stop: () => Promise<void> }>}
 */
async function startProxy(name, upstreamPort) {
  const isNginx = name in NGINX;
  const program = await ensureProxy(isNginx ? "nginx" : "haproxy");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "proxy-"));
  const file = path.join(folder, "config");
  const listener = net.createServer();
  listener.listen(0, "127.0.0.1");
  await until(listener, "listening");
  const { port } = listener.address();
  const fd = 3;
  fs.writeFileSync(
    file,
    isNginx
      ? nginxConfig(folder, port, upstreamPort, NGINX[name])
      : haproxyConfig(fd, upstreamPort, HAPROXY[name]),
  );
  const args = isNginx ? ["-p", folder, "-c", file] : ["-db", "-f", file];
  const child = spawn(program, args, {
    env: isNginx ? { ...process.env, NGINX: `${fd};` } : process.env, // where it looks for sockets
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

const PROXIES = [...Object.keys(NGINX), ...Object.keys(HAPROXY)];
/** Those that let a WebSocket through. */
const UPGRADING = PROXIES.filter(
  (name) => !/one line|kept connections$/.test(name) || name in HAPROXY,
);

module.exports = { PROXIES, startProxy, UPGRADING };
