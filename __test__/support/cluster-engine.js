"use strict";

/**
 * A cluster of Engine.IO servers, as far as a Socket.IO server on top of one can tell: requests of a session may come to
 * any node, the session stays on the node that opened it. It is made of npm `engine.io` by overriding and using the same
 * members as packages that share sessions between processes do; what they send over a network, it calls.
 *
 *     client ──request──► node B ──its packets──► node A: the session, and the Socket.IO server
 *                           ▲────what it answers────┘
 */

const { Server } = require("engine.io");

const { BAD_REQUEST, UNKNOWN_SID } = Server.errors;

class ClusterEngine extends Server {
  /**
   * @param {Set<ClusterEngine>} cluster its nodes; this one joins them
   * @param {object} opts options of Engine.IO
   */
  constructor(cluster, opts) {
    super(opts);
    this.cluster = cluster;
    cluster.add(this);
    /** what has been overridden or used, for tests that want to be sure of it */
    this.used = new Set();
  }

  /** @returns {ClusterEngine | undefined} the node that has the session */
  ownerOf(sid) {
    return [...this.cluster].find((node) => Object.hasOwn(node.clients, sid));
  }

  verify(req, upgrade, done) {
    this.used.add("verify");
    super.verify(req, upgrade, (code, context) => {
      req.owner = code === UNKNOWN_SID ? this.ownerOf(req._query.sid) : undefined;
      if (req.owner) done();
      else done(code, context);
    });
  }

  createTransport(name, req) {
    this.used.add("createTransport");
    const transport = super.createTransport(name, req);
    transport.maxHttpBufferSize = this.opts.maxHttpBufferSize;
    transport.httpCompression = this.opts.httpCompression;
    return transport;
  }

  handshake(name, req, refuse) {
    this.used.add("handshake");
    return super.handshake(name, req, refuse);
  }

  /** Middlewares, then the checks. */
  admit(req, res, upgrade, admitted, refused) {
    this.prepare(req);
    this._applyMiddlewares(req, res, (error) => {
      if (error) refused(BAD_REQUEST, { name: "MIDDLEWARE_FAILURE" });
      else
        this.verify(req, upgrade, (code, context) => {
          if (code === undefined) admitted();
          else refused(code, context);
        });
    });
  }

  handleRequest(req, res) {
    req.res = res;
    const refused = (code, context) => {
      const message = Server.errorMessages[code];
      this.emit("connection_error", { req, code, message, context });
      res.writeHead(400, { "Content-Type": "application/json" }).end(JSON.stringify({ code }));
    };
    const admitted = () => {
      const { sid, transport } = req._query;
      if (req.owner) this.forward(req);
      else if (sid) this.clients[sid].transport.onRequest(req);
      else this.handshake(transport, req, refused);
    };
    this.admit(req, res, false, admitted, refused);
  }

  /** A polling request for a session of another node. */
  forward(req) {
    const { owner } = req;
    const { sid } = req._query;
    const transport = this.createTransport("polling", req);
    transport.on("packet", (packet) => owner.clients[sid]?.onPacket(packet));
    transport.on("close", () => owner.clients[sid]?.onClose("transport close"));
    transport.on("error", (error) => owner.clients[sid]?.onClose("transport error", error));
    transport.onRequest(req);
    if (req.method === "GET") owner.lend(sid, transport);
  }

  /** Lets a session of this node answer a poll that another node has. */
  lend(sid, remote) {
    const client = this.clients[sid];
    const { transport } = client;
    transport.req = remote.req;
    transport.send = (packets) => {
      delete transport.send;
      transport.req = null;
      transport.writable = false;
      remote.once("drain", () => transport.emit("drain"));
      remote.send(packets);
    };
    transport.writable = true;
    client.flush();
  }

  handleUpgrade(req, socket, head) {
    const refused = () => socket.destroy();
    const admitted = () =>
      this.ws.handleUpgrade(req, socket, head, (websocket) => {
        req.websocket = websocket;
        if (req.owner) this.upgrade(req.owner.clients[req._query.sid], req);
        else this.onWebSocket(req, socket, websocket);
      });
    this.admit(req, {}, true, admitted, refused);
  }

  /** A WebSocket that is to become the transport of a session of another node. */
  upgrade(client, req) {
    if (client.upgrading || client.upgraded) {
      req.websocket.close();
      return;
    }
    const transport = this.createTransport("websocket", req);
    client.upgrading = true;
    const onPacket = ({ type, data }) => {
      if (type === "ping" && data === "probe") {
        transport.send([{ type: "pong", data: "probe" }]);
        client.emit("upgrading", transport);
        client.sendPacket("noop"); // ends the poll that another node may have
        return;
      }
      transport.off("packet", onPacket);
      client.upgrading = false;
      if (type !== "upgrade") {
        transport.close();
        return;
      }
      client.upgraded = true;
      client.transport.discard();
      client.clearTransport();
      client.setTransport(transport);
      client.emit("upgrade", transport);
      client.flush();
    };
    transport.on("packet", onPacket);
  }
}

module.exports = { ClusterEngine };
