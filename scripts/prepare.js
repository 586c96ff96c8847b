"use strict";

// The `prepare` step of npm, for those who depend on a checkout, by its path or by its git address: installs its packages, lays out
// the client and builds the addon. npm runs it for nothing that is published.

const path = require("node:path");
const { ensureAddon } = require("./lib/addon");
const { layOutClient } = require("./lib/client-files");
const { ensureDependencies } = require("./lib/deps");
const { ROOT } = require("./lib/paths");
const { runMain } = require("./lib/ui");

/** Whether npm works on this checkout itself (`npm ci`, `npm pack`): there, what needs the addon builds it. */
function isOwnProject() {
  const { npm_config_local_prefix: project, _PACOTE_NO_PREPARE_: fromGit } = process.env;
  return fromGit === undefined && project !== undefined && path.resolve(project) === ROOT;
}

runMain(async () => {
  if (isOwnProject()) return;
  // It names the project that depends on us, and npm would work on that.
  delete process.env.npm_config_local_prefix;
  await ensureDependencies();
  layOutClient();
  await ensureAddon();
});
