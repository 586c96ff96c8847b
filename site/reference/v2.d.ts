/**
 * What `require("ferrosocket/v2")` gives: the API of Socket.IO 2.5.
 *
 * @module v2
 */
import io = require("../../v2");

export import Server = io.Server;
export import Namespace = io.Namespace;
export import Socket = io.Socket;
export import Client = io.Client;
export import Chain = io.Chain;
export import Handshake = io.Handshake;
export import Encoder = io.Encoder;
export import ServerOptions = io.ServerOptions;
export import ServerStatic = io.ServerStatic;
export import Middleware = io.Middleware;
export import ClientsCallback = io.ClientsCallback;
