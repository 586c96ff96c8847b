"use strict";

// What the scripts say to the person at the terminal.

const COLOUR = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code) => (text) => (COLOUR ? `\u001b[${code}m${text}\u001b[0m` : String(text));

const bold = paint("1");
const dim = paint("2");
const red = paint("31");
const green = paint("32");
const yellow = paint("33");

/** A problem the person can solve: it is shown as problem and fix, without a stack. */
class SetupError extends Error {
  /**
   * @param {string} problem what is wrong, one sentence
   * @param {string} fix what to do about it, one line or more
   */
  constructor(problem, fix) {
    super(problem);
    this.name = "SetupError";
    this.fix = fix;
  }
}

/** Prints the heading of a stage. @param {string} text */
function heading(text) {
  console.log(`\n${bold(`==> ${text}`)}`);
}

/** Prints a remark of less weight than a heading. @param {string} text */
function note(text) {
  console.log(dim(`    ${text}`));
}

/**
 * Runs a script's main function; a failure is printed and becomes the exit code.
 * @param {() => (void | number | Promise<void | number>)} main may return an exit code
 */
async function runMain(main) {
  try {
    process.exitCode = (await main()) || 0;
  } catch (error) {
    process.exitCode = 1;
    if (!(error instanceof SetupError)) throw error;
    console.error(`\n${red("Cannot go on:")} ${error.message}`);
    for (const line of error.fix.split("\n")) console.error(`  ${line}`);
  }
}

module.exports = { SetupError, bold, dim, green, heading, note, red, runMain, yellow };
