"use strict";

// What declarations (.d.ts) say, read with the compiler of TypeScript.

const path = require("node:path");
const ts = require("typescript");
const { fromRoot } = require("../paths");

/**
 * @typedef {object} Member
 * @property {string} name
 * @property {"method" | "accessor" | "property"} kind
 * @property {boolean} optional
 * @property {boolean} isStatic
 */

/** The declarations of several files, as one program. */
class Declarations {
  /** @param {string[]} files relative to the root of the package */
  constructor(files) {
    this.program = ts.createProgram(
      files.map((file) => fromRoot(file)),
      {
        module: ts.ModuleKind.Node20,
        target: ts.ScriptTarget.ES2023,
        types: ["node"],
        strict: true,
        skipLibCheck: true,
        noEmit: true,
      },
    );
    this.checker = this.program.getTypeChecker();
  }

  /**
   * @param {string} file
   * @returns {Map<string, ts.Symbol>} what it exports, by name
   */
  exports(file) {
    const source = this.program.getSourceFile(fromRoot(file));
    const module = this.checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${file} is not a module`);
    return new Map(this.checker.getExportsOfModule(module).map((symbol) => [symbol.name, symbol]));
  }

  /**
   * @param {string} file
   * @param {string} name
   * @returns {ts.Symbol} what the file declares under the name, exported or not
   */
  find(file, name) {
    const source = this.program.getSourceFile(fromRoot(file));
    const scope = this.checker.getSymbolsInScope(
      /** @type {ts.SourceFile} */ (source),
      ts.SymbolFlags.Class | ts.SymbolFlags.Interface | ts.SymbolFlags.Alias,
    );
    const symbol = this.exports(file).get(name) ?? scope.find((one) => one.name === name);
    if (symbol === undefined) throw new Error(`${file} declares no ${name}`);
    const { Alias } = ts.SymbolFlags;
    return symbol.flags & Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
  }

  /**
   * @param {ts.Symbol} symbol a class
   * @returns {Member[]} its members but those of Node's classes: public ones, and protected ones, which subclasses see
   */
  members(symbol) {
    const instance = this.checker.getPropertiesOfType(this.checker.getDeclaredTypeOfSymbol(symbol));
    const ofClass = [...(symbol.exports?.values() ?? [])].filter(
      ({ name }) => name !== "prototype",
    );
    return [
      ...instance.filter(isVisible).map((one) => member(one, false)),
      ...ofClass.filter(isVisible).map((one) => member(one, true)),
    ];
  }

  /**
   * @param {ts.Symbol} symbol an interface
   * @param {string[]} names of properties, from outside to inside
   * @returns {string[]} the properties of what is found there
   */
  options(symbol, names) {
    let type = this.checker.getDeclaredTypeOfSymbol(symbol);
    for (const name of names) {
      const property = this.checker.getPropertyOfType(type, name);
      if (property === undefined) return [];
      type = this.checker.getNonNullableType(this.checker.getTypeOfSymbol(property));
      if (type.isUnion()) {
        // a boolean or a function may stand there instead
        const object = type.types.find(
          (one) => one.flags & ts.TypeFlags.Object || one.isIntersection(),
        );
        type = object ?? type;
      }
    }
    return this.checker.getPropertiesOfType(type).map(({ name }) => name);
  }
}

/** @param {ts.Symbol} symbol */
function isVisible(symbol) {
  const [declaration] = symbol.declarations ?? [];
  if (declaration === undefined || symbol.name.startsWith("__@")) return false;
  if (path.dirname(declaration.getSourceFile().fileName).includes("@types/node")) return false;
  return !(ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private);
}

/**
 * @param {ts.Symbol} symbol
 * @param {boolean} isStatic
 * @returns {Member}
 */
function member(symbol, isStatic) {
  const { flags, name } = symbol;
  let kind = /** @type {Member["kind"]} */ ("property");
  if (flags & ts.SymbolFlags.Method) kind = "method";
  else if (flags & ts.SymbolFlags.Accessor) kind = "accessor";
  return { name, kind, optional: (flags & ts.SymbolFlags.Optional) !== 0, isStatic };
}

module.exports = { Declarations };
