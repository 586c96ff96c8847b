"use strict";

/**
 * What a heading is called in links: GitHub's rule, which the site keeps, so that a link leads to the same place on both.
 * @param {string} heading
 * @returns {string}
 */
const slug = (heading) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
    .replaceAll(" ", "-");

module.exports = { slug };
