// The ES module face: the same classes, by name. There is no default export, as upstream has none.
import io from "./index.js";

export const { Server, Namespace, Socket } = io;
