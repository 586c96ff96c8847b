"use strict";

// The server that is measured, for Socket.IO on µWebSockets.js.
//
//   node uwebsockets.js SOCKET.IO-MODULE UWEBSOCKETS-MODULE

const { announce, handle, options } = require("./handlers.js");

const [implementation, engine] = process.argv.slice(2);
const { Server } = require(implementation);
const uws = require(engine);

const app = uws.App();
const io = new Server({ serveClient: false, ...options });
io.attachApp(app, {
  // A broadcast is compressed by one compressor for all clients: the quicker of its two ways.
  ...(options.perMessageDeflate && { compression: uws.SHARED_COMPRESSOR }),
});
handle(io);

app.listen("127.0.0.1", 0, (token) => {
  if (token) announce(uws.us_socket_local_port(token));
  else throw new Error("it cannot listen");
});
