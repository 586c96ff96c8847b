"use strict";

/**
 * The primary process of node:cluster, for nodes that are its workers: it passes on what `cluster.js` sends to node `index`,
 * and what that answers. Its arguments are "sticky", if all are behind one port, or "", then those of each node, as one JSON
 * array.
 */

const cluster = require("node:cluster");
const { createServer } = require("node:http");
const path = require("node:path");
const { setupPrimary } = require("@socket.io/cluster-adapter");
const { setupMaster } = require("@socket.io/sticky");

const [, , sticky, ...each] = process.argv;
const nodes = [];

function fork(args, index, port) {
  cluster.setupPrimary({
    exec: path.join(__dirname, "node.js"),
    args: JSON.parse(args),
    serialization: "advanced",
  });
  const worker = cluster.fork({ STICKY_PORT: port });
  nodes.push(worker);
  worker.on("message", (message) => {
    if ("port" in message || "id" in message || message.told) process.send({ index, message });
  });
  worker.on("exit", () => process.connected && process.send({ index, ended: true }));
}

setupPrimary();
if (sticky) {
  const httpServer = createServer();
  setupMaster(httpServer, { loadBalancingMethod: "least-connection" });
  httpServer.listen(0, "127.0.0.1", () => {
    each.forEach((args, index) => fork(args, index, httpServer.address().port));
  });
} else each.forEach((args, index) => fork(args, index, 0));

process.on("message", ({ index, message, kill }) => {
  if (kill) nodes[index].process.kill(kill);
  else nodes[index].send(message);
});
process.once("disconnect", () => process.exit()); // the workers end with it
