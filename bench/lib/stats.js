"use strict";

// Several rounds into one figure.

/** The middle value, or the mean of the two in the middle; `NaN` of nothing. */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value that such a part of all is not above; they are sorted. */
function percentile(sorted, part) {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
}

/** Half the distance between the smallest and the largest value, as a share of the median. */
function spread(values) {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}

/**
 * The median of each number in the rounds of one case and peer.
 *
 * @param {object[]} rounds what the generator printed
 * @returns {object} the same keys
 */
function medians(rounds) {
  const keys = Object.keys(rounds[0]).filter((key) => typeof rounds[0][key] === "number");
  return Object.fromEntries(keys.map((key) => [key, median(rounds.map((round) => round[key]))]));
}

/**
 * How many times better `mine` is than `theirs`: more messages, less CPU, less memory.
 *
 * @param {import("../cases.js").Figure} by
 */
function ratio(by, mine, theirs) {
  return by === "per_s" ? mine[by] / theirs[by] : theirs[by] / mine[by];
}

module.exports = { median, medians, percentile, ratio, spread };
