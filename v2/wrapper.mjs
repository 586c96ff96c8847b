// The ES module face of the 2.x entry: the constructor is the default export.
import io from "./index.js";

export default io;
