"use strict";

/** A PostgreSQL server of our own. */

const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { ensurePostgres } = require("../../scripts/lib/postgres");
const { within } = require("./waiting");

/** It refuses to run as root: then it runs as the user that its package has made. */
function asWhom() {
  if (process.getuid() !== 0) return {};
  const [uid, gid] = ["-u", "-g"].map((flag) =>
    Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" })),
  );
  return { uid, gid };
}

/**
 * Starts one, which keeps nothing. It listens on a Unix socket: no port can be taken, and nobody else gets in.
 *
 * @returns {Promise<{ settings: object, stop: () => Promise<void> }>} `settings` for a `Pool` of the package `pg`
 */
async function startPostgres() {
  const bin = await ensurePostgres();
  const who = asWhom();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "postgres-"));
  if (who.uid !== undefined) fs.chownSync(folder, who.uid, who.gid);
  const data = path.join(folder, "data");
  const user = "tests";
  const remove = () => fs.rmSync(folder, { recursive: true, force: true });
  try {
    const initdb = ["-D", data, "-U", user, "--auth=trust", "--no-sync", "--encoding=UTF8"];
    execFileSync(path.join(bin, "initdb"), initdb, { ...who, cwd: folder, stdio: "pipe" });
  } catch (error) {
    remove();
    throw error;
  }
  const options = ["listen_addresses=", `unix_socket_directories=${folder}`, "fsync=off"];
  const child = spawn(
    path.join(bin, "postgres"),
    ["-D", data, ...options.flatMap((option) => ["-c", option])],
    { ...who, cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
  const kill = () => child.kill("SIGINT"); // ends its processes, too
  process.once("exit", kill); // whatever ends the tests
  const end = new Promise((resolve) => child.once("close", resolve));
  let output = "";
  const ready = new Promise((resolve, reject) => {
    child.stderr.on("data", (chunk) => {
      output += chunk;
      if (output.includes("ready to accept connections")) resolve();
    });
    child.once("error", reject);
    end.then(() => reject(new Error(`postgres ended: ${output}`)));
  });
  const stop = async () => {
    process.removeListener("exit", kill);
    kill();
    await within(end, "the end of postgres");
    remove();
  };
  try {
    await within(ready, "postgres to accept connections");
  } catch (error) {
    await stop();
    throw error;
  }
  return { settings: { host: folder, user, database: "postgres" }, stop };
}

module.exports = { startPostgres };
