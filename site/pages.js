"use strict";

// The pages of the site: which text of the repository is shown where.

/**
 * @typedef {object} Page
 * @property {string} file from the root of the repository
 * @property {string} page its path on the site
 * @property {string} [title] in the sidebar; without, it is reached by links only
 */

/** @type {{ text: string, pages: Page[] }[]} */
const SECTIONS = [
  {
    text: "Begin",
    pages: [
      { file: "docs/start.md", page: "start", title: "Start" },
      { file: "docs/migrating.md", page: "migrating", title: "Migrate and roll back" },
      { file: "docs/installing.md", page: "installing", title: "Installing" },
      { file: "docs/compatibility.md", page: "compatibility", title: "Compatibility" },
      { file: "docs/differences.md", page: "differences", title: "Differences" },
      { file: "docs/faq.md", page: "faq", title: "Questions" },
    ],
  },
  {
    text: "In production",
    pages: [
      { file: "docs/production.md", page: "production", title: "Production" },
      { file: "docs/proxies.md", page: "proxies", title: "Behind proxies" },
      { file: "docs/blocked.md", page: "blocked", title: "A blocked event loop" },
      { file: "docs/fast-paths.md", page: "fast-paths", title: "The fast ways" },
      { file: "docs/cluster.md", page: "cluster", title: "Cluster" },
      { file: "docs/scaling.md", page: "scaling", title: "How far it goes" },
      { file: "docs/metrics.md", page: "metrics", title: "Metrics" },
      { file: "docs/limits.md", page: "limits", title: "Limits" },
      { file: "docs/operating.md", page: "operating", title: "Operating it" },
    ],
  },
  {
    text: "How it does",
    pages: [
      { file: "docs/benchmark.md", page: "benchmark", title: "Benchmarks" },
      { file: "docs/how-it-works.md", page: "how-it-works", title: "How it works" },
      { file: "ARCHITECTURE.md", page: "architecture", title: "Architecture" },
      { file: "docs/decisions.md", page: "decisions", title: "Decisions" },
    ],
  },
  {
    text: "Reference",
    pages: [
      { file: "docs/OPTIONS.md", page: "options", title: "Options" },
      { file: "docs/API.md", page: "api-table", title: "The API beside upstream's" },
      { file: "docs/API-2.x.md", page: "api-table-2", title: "That of 2.x" },
      { file: "CHANGELOG.md", page: "changelog", title: "Changelog" },
    ],
  },
];

/** Reached by links of others. @type {Page[]} */
const UNLISTED = [
  { file: "site/index.md", page: "index" },
  { file: "CONTRIBUTING.md", page: "contributing" },
  { file: "SECURITY.md", page: "security" },
  { file: "bench/README.md", page: "bench/run" },
  { file: "bench/RESULTS.md", page: "bench/results" },
  { file: "bench/MICRO.md", page: "bench/micro" },
  { file: "examples/chat/README.md", page: "chat" },
];

const PAGES = [...SECTIONS.flatMap(({ pages }) => pages), ...UNLISTED];

module.exports = { PAGES, SECTIONS };
