"use strict";

// The Python client libraries of the tests: one virtual environment for each, made when missing or out of date.

const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { aptInstall, hasApt } = require("./apt");
const { fromRoot } = require("./paths");
const { capture, run } = require("./run");
const { SetupError, heading } = require("./ui");

/** The protocols of Engine.IO for which there is a requirements file. */
const PROTOCOLS = [3, 4];

/** The environment variable that names the Python of a client that is set up; read by the tests. */
const variable = (protocol) => `FERROSOCKET_PYTHON_PROTOCOL${protocol}`;

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

/** Finds a Python, or installs Debian's. */
async function ensurePython() {
  const found = findPython();
  if (found) return found;
  const byHand =
    "Install Python 3.9 or newer with its module venv (Debian: apt-get install python3-venv), or set PYTHON to one.";
  if (!hasApt()) throw new SetupError("The tests with Python clients need Python 3.", byHand);
  heading("Installing Python for the tests with Python clients (apt-get)");
  const installed = (await aptInstall("python3", "python3-venv")) ? findPython() : null;
  if (!installed) throw new SetupError("apt-get could not install Python.", byHand);
  return installed;
}

/**
 * Sets up a Python client library unless it is there.
 * @param {3 | 4} protocol of Engine.IO
 * @returns {Promise<string>} the path of a Python that has it
 */
async function ensurePythonClient(protocol) {
  const named = process.env[variable(protocol)];
  if (named) return named;
  const requirements = fromRoot(`__test__/clients/python/requirements-protocol${protocol}.txt`);
  const folder = fromRoot(`target/clients/python-protocol${protocol}`);
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
    capture(python, ["-c", "import socketio"]) !== null;
  if (isCurrent()) return python;

  const base = await ensurePython();
  heading(`Setting up the Python client of protocol ${protocol} (venv, pip)`);
  const pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install"];
  const failed =
    (await run(base, ["-m", "venv", "--clear", folder])) ||
    (await run(python, [...pip, "--requirement", requirements]));
  if (failed) {
    throw new SetupError(
      "The Python client could not be set up; the message is above.",
      `Is the network there? Then try again; delete ${folder} first if that does not help.`,
    );
  }
  fs.writeFileSync(stamp, wanted);
  return python;
}

/**
 * Sets up all Python clients.
 * @returns {Promise<Record<string, string>>} environment variables for the tests
 */
async function ensurePythonClients() {
  const env = {};
  for (const protocol of PROTOCOLS) env[variable(protocol)] = await ensurePythonClient(protocol);
  return env;
}

module.exports = { ensurePythonClient, ensurePythonClients };
