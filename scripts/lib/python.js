"use strict";

// The Python client libraries of the tests: one virtual environment for each.

const { fromRoot } = require("./paths");
const { ensureVenv } = require("./venv");

/** The protocols of Engine.IO for which there is a requirements file. */
const PROTOCOLS = [3, 4];

/** The environment variable that names the Python of a client that is set up; read by the tests. */
const variable = (protocol) => `FERROSOCKET_PYTHON_PROTOCOL${protocol}`;

/**
 * Sets up a Python client library unless it is there.
 * @param {3 | 4} protocol of Engine.IO
 * @returns {Promise<string>} the path of a Python that has it
 */
async function ensurePythonClient(protocol) {
  return (
    process.env[variable(protocol)] ||
    ensureVenv({
      what: `the Python client of protocol ${protocol}`,
      folder: fromRoot(`target/clients/python-protocol${protocol}`),
      requirements: fromRoot(`__test__/clients/python/requirements-protocol${protocol}.txt`),
      module: "socketio",
    })
  );
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
