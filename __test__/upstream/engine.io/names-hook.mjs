const STAND_IN = new URL("./webtransport.mjs", import.meta.url).href;
const NAMES = new Set(["@fails-components/webtransport", "./util.mjs"]);

export function resolve(name, context, next) {
  return NAMES.has(name) ? { url: STAND_IN, shortCircuit: true } : next(name, context);
}
