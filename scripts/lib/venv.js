"use strict";

// Virtual environments of Python: made when missing or out of date.

const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { aptInstall, hasApt } = require("./apt");
const { capture, run } = require("./run");
const { SetupError, heading } = require("./ui");

/** The Python that a virtual environment has. */
const pythonOf = (folder) =>
  process.platform === "win32"
    ? path.join(folder, "Scripts", "python.exe")
    : path.join(folder, "bin", "python");

/**
 * Looks for a Python that can make virtual environments.
 * @returns {string | null} its name
 */
function findPython() {
  const names = [process.env.PYTHON, "python3", "python"].filter(Boolean);
  // Debian's python3 has `venv` without python3-venv, but not what it puts into the environments.
  return names.find((name) => capture(name, ["-c", "import ensurepip, venv"]) !== null) ?? null;
}

/** Finds a Python, or installs Debian's. @param {string} what needs it */
async function ensurePython(what) {
  const found = findPython();
  if (found) return found;
  const byHand =
    "Install Python 3.9 or newer with its module venv (Debian: apt-get install python3-venv), or set PYTHON to one.";
  if (!hasApt()) throw new SetupError(`Python 3 is needed for ${what}.`, byHand);
  heading(`Installing Python for ${what} (apt-get)`);
  const installed = (await aptInstall("python3", "python3-venv")) ? findPython() : null;
  if (!installed) throw new SetupError("apt-get could not install Python.", byHand);
  return installed;
}

/**
 * Sets up a virtual environment unless it is there.
 * @param {object} wanted
 * @param {string} wanted.what it is, such as "the tests with Python clients"
 * @param {string} wanted.folder
 * @param {string} wanted.requirements the file that lists its packages
 * @param {string} wanted.module one that it then has
 * @returns {Promise<string>} the path of its Python
 */
async function ensureVenv({ what, folder, requirements, module }) {
  const stamp = path.join(folder, "made-from");
  const python = pythonOf(folder);
  // The folder is part of it: an environment knows its own path and can't be moved.
  const wanted = createHash("sha256")
    .update(`${folder}\0`)
    .update(fs.readFileSync(requirements))
    .digest("hex");
  const isCurrent = () =>
    fs.existsSync(stamp) &&
    fs.readFileSync(stamp, "utf8") === wanted &&
    // The Python below it may have been removed since.
    capture(python, ["-c", `import ${module}`]) !== null;
  if (isCurrent()) return python;

  const base = await ensurePython(what);
  heading(`Setting up ${what} (venv, pip)`);
  const pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install"];
  const failed =
    (await run(base, ["-m", "venv", "--clear", folder])) ||
    (await run(python, [...pip, "--requirement", requirements]));
  if (failed) {
    throw new SetupError(
      `What ${what} needs could not be set up; the message is above.`,
      `Is the network there? Then try again; delete ${folder} first if that does not help.`,
    );
  }
  fs.writeFileSync(stamp, wanted);
  return python;
}

module.exports = { ensureVenv };
