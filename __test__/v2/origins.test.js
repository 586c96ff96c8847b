"use strict";

/** Origins that are refused where 2.x, which looks for them anywhere in a string, lets them in. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { checkOrigin } = require("../../lib/api/origins");
const { BOTH, old } = require("./harness");

const allows = (origins, origin) => {
  let allowed;
  checkOrigin(origins, { headers: { origin } }, (_error, success) => (allowed = success));
  return allowed;
};

test("the entries of a string are compared one by one", () => {
  assert.equal(allows("foo.example:*", "http://foo.example"), true);
  assert.equal(allows("foo.example:*", "http://o.example"), false);
  assert.equal(allows("foo.example:8080", "http://foo.example:80"), false);
  assert.equal(allows("https://foo.example:*", "https://foo.example:1"), true);
  assert.equal(allows("https://foo.example:*", "http://foo.example:1"), false);
  assert.equal(allows("*", "http://foo.example"), true);
  assert.equal(allows("[::1]:80", "http://[::1]"), false);
  assert.equal(allows("::1:80", "http://[::1]"), true);
});

old("differs: an origin that is a part of an entry of a string", BOTH, async (stage) => {
  await stage.serve({ origins: "foo.example:*" });
  const target = "/socket.io/?EIO=3&transport=polling";
  const statusFor = async (origin) => (await stage.get(target, { origin })).status;
  assert.equal(await statusFor("http://foo.example"), 200);
  assert.notEqual(await statusFor("http://bar.example"), 200);
  assert.equal((await statusFor("http://o.example")) === 200, stage.either(true, false));
});
