// A lasting flood: how much of it is rendered, and whether the page stays responsive.

import { setTimeout as pause } from "node:timers/promises";

import { PROMPT } from "../../browser/harness/server.mjs";
import { until } from "../../browser/harness/wait.mjs";

import { installProbe } from "./probe.mjs";
import { Tab } from "./unwatched.mjs";

/** Duration of a flood before it is measured, in milliseconds. */
const WARM_UP_MS = 1000;

/** Measures every text with every page, round by round. */
export async function flood(browser, pages, renderer, texts, rounds, duration, recordFigure) {
  for (const text of Object.keys(texts)) {
    for (let round = 0; round < rounds; round += 1) {
      for (const { name, begin, start } of pages) {
        const served = await begin(texts[text]);
        const page = await Tab.open(browser, installProbe, PROMPT.trim());
        try {
          await start(page, served, renderer, text, texts[text]);
          const figures = await measureFlood(page, duration);
          const scene = `page flood ${text} ${renderer}`;
          for (const [metric, unit, value] of figures) recordFigure(scene, metric, name, unit, value);
        } finally {
          await page.close();
          await served.stop();
        }
      }
    }
  }
}

/** Starts a flood in the page that is only xterm.js, from memory. */
export async function fromMemory(page, { url }, renderer, text) {
  await page.goto(`${url.href}?${renderer}`);
  await until("the page", () => page.evaluate(() => window.flood !== undefined));
  await page.evaluate((text) => void window.flood(text), text);
}

/** Starts a flood in the same page, from a program on a pty through the simplest relay. */
export async function fromRelay(page, { url, address }, renderer) {
  await page.goto(`${url.href}?${renderer}`);
  await until("the page", () => page.evaluate(() => window.receive !== undefined));
  await page.evaluate((address) => void window.receive(address), address);
}

/** Starts a flood in limpet's page. */
export async function fromLimpet(page, { url }, _renderer, _text, file) {
  await page.goto(url.href);
  await until("a prompt", () => page.evaluate(() => window.bench.bytes + window.bench.snapshots > 0));
  await page.focus();
  await page.insert(`while :; do cat ${file}; done`);
  await page.press("Enter");
}

/** Measures the output and the frames during this many milliseconds. */
async function measureFlood(page, duration) {
  const enough = 200_000;
  await until("a flood", () => page.evaluate(() => window.bench.offset), (offset) => offset > enough);
  await page.evaluate(() => window.bench.countFrames());
  await pause(WARM_UP_MS);
  const look = () => page.evaluate(() => ({ ...window.bench, time: performance.now() }));
  const before = await look();
  await pause(duration);
  const after = await look();
  const seconds = (after.time - before.time) / 1000;
  return [
    ["rate", "MB/s", (after.bytes - before.bytes) / 1e6 / seconds],
    ["carried", "MB/s", (after.offset - before.offset) / 1e6 / seconds],
    ["frames", "per s", (after.frames - before.frames) / seconds],
    ["tasks over 50 ms", "per s", (after.long - before.long) / seconds],
    ["pictures", "per s", (after.snapshots - before.snapshots) / seconds],
  ];
}
