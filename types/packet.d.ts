/**
 * The type of a Socket.IO packet, as the number on the wire: 0 CONNECT, 1 DISCONNECT, 2 EVENT, 3 ACK,
 * 4 CONNECT_ERROR, 5 BINARY_EVENT, 6 BINARY_ACK.
 */
export type PacketType = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** One unit of the Socket.IO protocol. */
export interface Packet {
  /** What the packet is for. */
  type: PacketType;
  /** The name of the namespace, `"/"` for the main one. */
  nsp: string;
  /** `[event, ...args]`, the arguments of an ack, or the object of a (refused) connection. */
  data?: any;
  /** The ack id, when an ack is expected or given. */
  id?: number;
  /** The number of binary attachments that follow. */
  attachments?: number;
}

/** The encoding half of the `parser` option. */
export interface Encoder {
  /** Turns a packet into what goes into Engine.IO packets: a string, then its attachments. */
  encode(packet: Packet): any[];
}
