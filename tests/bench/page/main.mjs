// The page in a real Chromium, compared with a page that is only xterm.js. Figures go to standard
// output, one JSON object per line.

import { NO_WEBGL, WEBGL, launch } from "../../browser/harness/browser.mjs";
import { required } from "../../browser/harness/environment.mjs";
import { Server } from "../../browser/harness/server.mjs";

import { Bare } from "./bare.mjs";
import { fromLimpet, fromMemory, fromRelay, flood } from "./flood.mjs";
import { keys } from "./keys.mjs";
import { load } from "./load.mjs";
import { memory } from "./memory.mjs";
import { Relay } from "./relay.mjs";

const quick = process.argv.includes("--quick");
const sceneFilter = process.argv.find((word) => word.startsWith("--scene=")).slice("--scene=".length);

/** Prints one figure of one server. */
function recordFigure(scene, metric, server, unit, value) {
  process.stdout.write(`${JSON.stringify({ scene, metric, server, unit, value })}\n`);
}

/** Runs a scene in its own browser, if the scene is selected. */
async function runInBrowser(graphics, scene, body) {
  if (!scene.includes(sceneFilter)) return;
  const browser = await launch(graphics);
  try {
    await body(browser);
  } finally {
    await browser.close();
  }
}

const texts = { lines: required("BENCH_LINES"), coloured: required("BENCH_COLOURED") };
const bare = await Bare.start(texts);
const pages = [
  { name: "xterm.js", begin: async () => ({ url: bare.url, stop: async () => {} }) },
  { name: "limpet", begin: () => Server.start() },
];
// A page that cannot keep up gets snapshots. To measure its rate, the program must wait for it.
const floodPages = [
  { ...pages[0], start: fromMemory },
  { name: "relay", begin: (file) => Relay.start(bare, file), start: fromRelay },
  { name: "limpet", begin: () => Server.start(undefined, ["--flow", "hold"]), start: fromLimpet },
  { name: "limpet, auto", begin: () => Server.start(), start: fromLimpet },
];
const rounds = quick ? 1 : 5;
try {
  await runInBrowser(NO_WEBGL, "page load", (browser) => load(browser, pages, rounds, recordFigure));
  await runInBrowser(NO_WEBGL, "page key to glyph", (browser) => keys(browser, pages, rounds, quick ? 10 : 100, recordFigure));
  for (const [renderer, graphics] of quick ? [["DOM", NO_WEBGL]] : [["DOM", NO_WEBGL], ["WebGL", WEBGL]]) {
    await runInBrowser(graphics, `page flood ${renderer}`, (browser) => flood(browser, floodPages, renderer, texts, quick ? 1 : 3, quick ? 500 : 5000, recordFigure));
  }
  for (const tabs of quick ? [1] : [1, 10, 50]) {
    await runInBrowser(NO_WEBGL, "page memory", (browser) => memory(browser, tabs, recordFigure));
  }
} finally {
  bare.stop();
}
