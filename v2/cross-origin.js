"use strict";

/**
 * An engine middleware: pages of all origins that get past `origins` may read what long-polling answers, cookies
 * included, as with Socket.IO 2.x.
 *
 * @param {any} req
 * @param {any} res
 * @param {() => void} next
 */
function crossOrigin(req, res, next) {
  const { transport, sid } = req._query;
  if (transport === "polling") {
    const { origin } = req.headers;
    if (origin) res.setHeader("Access-Control-Allow-Credentials", "true");
    res.setHeader("Access-Control-Allow-Origin", origin || "*");
    if (req.method === "OPTIONS" && sid) {
      res.writeHead(200, { "Access-Control-Allow-Headers": "Content-Type" });
      res.end();
      return;
    }
  }
  next();
}

module.exports = { crossOrigin };
