"use strict";

// A registry for package managers, on this machine only: it has the packages of a release as if they had been published, and sends
// everybody to the usual registry for all else.

const { createHash } = require("node:crypto");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { gzipSync } = require("node:zlib");
const { capture } = require("../lib/run");
const { SetupError } = require("../lib/ui");
const { TARGETS } = require("./targets");

/** @typedef {import("./pack").Packed} Packed */

/**
 * @param {Packed[]} packed
 * @returns {Promise<{ url: string, asked: string[], close: () => void }>} `asked`: the tarballs of ours that were fetched
 */
async function serveRegistry(packed) {
  const upstream = capture("npm", ["config", "get", "registry"]);
  if (upstream === null)
    throw new SetupError("npm does not tell its registry.", "Is it installed?");
  const documents = new Map(packed.map((one) => [one.name, one]));
  const { version } = packed.at(-1).manifest;
  /** @type {string[]} */
  const asked = [];
  const server = http.createServer((req, res) => {
    const name = decodeURIComponent(req.url.slice(1));
    const one = documents.get(name);
    const tarball = packed.find((known) => `tarballs/${path.basename(known.tarball)}` === name);
    const absent = TARGETS.find((target) => target.package === name);
    const placeholder = TARGETS.find((target) => `tarballs/${fileOf(target.package)}` === name);
    if (tarball !== undefined) {
      asked.push(tarball.name);
      res.end(fs.readFileSync(tarball.tarball));
    } else if (placeholder !== undefined) res.end(emptyPackage(manifestOf(placeholder, version)));
    else if (one !== undefined)
      json(res, describe(one.manifest, path.basename(one.tarball), fs.readFileSync(one.tarball)));
    else if (absent !== undefined) {
      const manifest = manifestOf(absent, version);
      json(res, describe(manifest, fileOf(manifest.name), emptyPackage(manifest)));
    } else res.writeHead(302, { location: new URL(req.url, upstream).href }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/`;

  /** What a registry tells of a package. */
  function describe(manifest, file, content) {
    const hash = (algorithm, encoding) => createHash(algorithm).update(content).digest(encoding);
    const dist = {
      tarball: `${url}tarballs/${file}`,
      shasum: hash("sha1", "hex"),
      integrity: `sha512-${hash("sha512", "base64")}`,
    };
    return {
      name: manifest.name,
      "dist-tags": { latest: manifest.version },
      versions: { [manifest.version]: { ...manifest, dist } },
    };
  }

  return {
    url,
    asked,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The file of a package whose binary was not built here. */
const fileOf = (name) => `not-built-${name.split("/").at(-1)}.tgz`;

/** @param {number} number @param {number} width @returns {string} a field of a header of tar */
const octal = (number, width) => `${number.toString(8).padStart(width - 1, "0")}\0`;

/**
 * A package without a binary: yarn 1 fetches those of all kinds of libc, and may break off when one is not there.
 *
 * @param {object} manifest
 * @returns {Buffer} the tarball
 */
function emptyPackage(manifest) {
  const content = Buffer.from(JSON.stringify(manifest));
  const header = Buffer.alloc(512);
  header.write("package/package.json", 0);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8), 100);
  header.write(octal(content.length, 12) + octal(0, 12), 124);
  header.write("        0", 148); // the sum is taken with spaces in its place
  header.write("ustar\x0000", 257);
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    )} `,
    148,
  );
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return gzipSync(Buffer.concat([header, content, padding, Buffer.alloc(1024)]));
}

/** What is known of a package whose binary was not built here: nobody on this platform uses it. */
const manifestOf = ({ package: name, os, cpu, libc }, version) => ({
  name,
  version,
  os: [os],
  cpu: [cpu],
  ...(libc && { libc: [libc] }),
});

/** @param {http.ServerResponse} res @param {object} value */
function json(res, value) {
  // not to be kept: what is packed next has the same version
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  res.writeHead(200, headers).end(JSON.stringify(value));
}

module.exports = { serveRegistry };
