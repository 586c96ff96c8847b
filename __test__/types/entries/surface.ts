// Our classes have every public member of upstream's, and the same type parameters.
import type * as Upstream from "socket.io-upstream";
import type * as Ours from "ferrosocket";
import { expectTrue, type Same } from "../expect.js";

/** What upstream has and we have not. */
type Missing<Theirs, Ours> = Exclude<keyof Theirs, keyof Ours>;
type None<T> = [T] extends [never] ? true : { missing: T };

interface In {
  a: (x: string, ack: (n: number) => void) => void;
}
interface Out {
  b: (y: boolean) => void;
  c: (z: Date, ack: (err: Error, s: string) => void) => void;
}
interface Between {
  d: (ack: (n: number) => void) => void;
}

type UpServer = Upstream.Server<In, Out, Between, { e: 1 }>;
type OurServer = Ours.Server<In, Out, Between, { e: 1 }>;
type UpSocket = Upstream.Socket<In, Out, Between, { e: 1 }>;
type OurSocket = Ours.Socket<In, Out, Between, { e: 1 }>;
type UpNamespace = Upstream.Namespace<In, Out, Between, { e: 1 }>;
type OurNamespace = Ours.Namespace<In, Out, Between, { e: 1 }>;

expectTrue<None<Missing<UpServer, OurServer>>>();
expectTrue<None<Missing<UpNamespace, OurNamespace>>>();
expectTrue<None<Missing<UpSocket, OurSocket>>>();
expectTrue<None<Missing<UpSocket["client"], OurSocket["client"]>>>();
expectTrue<None<Missing<Upstream.BroadcastOperator<Out, {}>, Ours.BroadcastOperator<Out, {}>>>>();
expectTrue<None<Missing<Upstream.RemoteSocket<Out, {}>, Ours.RemoteSocket<Out, {}>>>>();
expectTrue<None<Missing<Upstream.ServerOptions, Ours.ServerOptions>>>();
expectTrue<None<Missing<UpServer["engine"], OurServer["engine"]>>>();
expectTrue<None<Missing<UpSocket["handshake"], OurSocket["handshake"]>>>();
// `_maybeUpgrade` hands a transport object to a connection: ours change transport natively.
expectTrue<Same<Missing<UpSocket["conn"], OurSocket["conn"]>, "_maybeUpgrade">>();

// And nothing of our own besides what is meant to be there.
type OldChain = "json" | "binary";
type OldServer = "checkRequest" | "nsps" | "origins" | "set";
type Operating = "drain" | "handOver" | "health" | "metrics" | "takenOver";
expectTrue<Same<Missing<OurServer, UpServer>, OldServer | Operating | OldChain | "clients">>();
expectTrue<Same<Missing<OurNamespace, UpNamespace>, OldChain | "clients" | "connected">>();
expectTrue<Same<Missing<OurSocket, UpSocket>, OldChain>>();
type UpOperator = Upstream.BroadcastOperator<Out, {}>;
type OurOperator = Ours.BroadcastOperator<Out, {}>;
expectTrue<Same<Missing<OurOperator, UpOperator>, OldChain | "clients" | "send" | "write">>();
type OurOptions =
  | "workers"
  | "origins"
  | "maxBufferedBytes"
  | "bufferPolicy"
  | "limits"
  | "tls"
  | "metrics"
  | "shutdown"
  | "admission"
  | "trustProxy"
  | "proxyProtocol"
  | "takeOver";
expectTrue<Same<Missing<Ours.ServerOptions, Upstream.ServerOptions>, OurOptions>>();
type OurConn = "bufferedAmount" | "door" | "doorReason" | "sendPacket" | "writeBuffer";
expectTrue<Same<Missing<OurSocket["conn"], UpSocket["conn"]>, OurConn>>();

// The simple types are the same.
expectTrue<Same<Upstream.DisconnectReason | "buffer overflow", Ours.DisconnectReason>>();
expectTrue<Same<Upstream.Event, Ours.Event>>();
expectTrue<Same<Upstream.DefaultEventsMap, Ours.DefaultEventsMap>>();
expectTrue<Same<Upstream.ExtendedError, Ours.ExtendedError>>();
expectTrue<Same<UpSocket["handshake"], OurSocket["handshake"]>>();

// What is written for one fits the other: options both ways.
declare const theirs: Omit<Partial<Upstream.ServerOptions>, "adapter">;
const ours: Omit<Partial<Ours.ServerOptions>, "adapter"> = theirs;
const back: Omit<Partial<Upstream.ServerOptions>, "adapter"> = ours;
void back;
