"use strict";

const http = require("node:http");

/**
 * Has another process answer a request that has come here, by a connection which that process can't have: the one that listens
 * where it has come to. The connection ends with the answer.
 *
 * @param {http.IncomingMessage} req of which nothing has been read but its head
 * @param {http.ServerResponse} res
 */
function passOnRequest(req, res) {
  const { localAddress: host, localPort: port } = req.socket;
  const end = () => req.socket?.destroy();
  if (port === undefined || /** @type {{ encrypted?: unknown }} */ (req.socket).encrypted) {
    end(); // its client begins anew
    return;
  }
  const { method, url: path, headers } = req;
  const options = {
    host,
    port,
    method,
    path,
    agent: false,
    headers: { ...headers, connection: "close" },
  };
  const passed = http.request(options, (answer) => {
    res.writeHead(answer.statusCode ?? 500, { ...answer.headers, connection: "close" });
    answer.on("error", end);
    answer.pipe(res);
  });
  passed.on("error", end);
  res.once("close", () => passed.destroy());
  req.pipe(passed);
}

module.exports = { passOnRequest };
