// How VitePress makes the site. It is copied to where VitePress reads it (scripts/docs.js): paths are those of there.

import { createRequire } from "node:module";
import { defineConfig } from "vitepress";

const root = new URL("../../../../", import.meta.url);
const require = createRequire(root);
const { SECTIONS } = require("./site/pages.js");
const { slug } = require("./scripts/lib/headings.js");
const { version } = require("./package.json");

const sidebar = SECTIONS.map(({ text, pages }) => ({
  text,
  items: pages.map(({ page, title }) => ({ text: title, link: `/${page}` })),
}));
const CLASSES = ["Server", "Namespace", "Socket", "BroadcastOperator", "RemoteSocket"];
sidebar.at(-1).items.unshift({
  text: "The API, from its types",
  link: "/reference/",
  collapsed: true,
  items: [
    ...CLASSES.map((name) => ({ text: name, link: `/reference/socket.io/classes/${name}` })),
    { text: "ServerOptions", link: "/reference/socket.io/interfaces/ServerOptions" },
    { text: "Engine.IO alone", link: "/reference/engine.io/" },
    { text: "Socket.IO 2.x", link: "/reference/v2/" },
  ],
});

const repository = process.env.FERROSOCKET_REPOSITORY;

export default defineConfig({
  title: "ferrosocket",
  description: "The Socket.IO server in Rust, as a drop-in for Node.js",
  lang: "en",
  base: process.env.DOCS_BASE ?? "/",
  outDir: "../dist",
  cacheDir: "../cache",
  cleanUrls: true,
  lastUpdated: false,
  head: [["link", { rel: "icon", href: "data:," }]],
  markdown: {
    // of enough contrast for everybody
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    languageAlias: { haproxy: "ini" },
    anchor: { slugify: slug },
    toc: { slugify: slug },
    headers: { slugify: slug },
  },
  vite: { build: { chunkSizeWarningLimit: 2000 } },
  themeConfig: {
    nav: [
      { text: "Start", link: "/start" },
      { text: "Production", link: "/production" },
      { text: "API", link: "/reference/" },
      { text: version, link: "/changelog" },
    ],
    sidebar,
    outline: { level: [2, 3] },
    search: { provider: "local" },
    socialLinks: repository ? [{ icon: "github", link: repository }] : [],
    footer: {
      message:
        "MIT licensed. Socket.IO is a trademark of its owners; this project is not affiliated with them.",
    },
  },
});
