// A flood that lasts: how much of it is rendered, and whether the page keeps moving.

import { setTimeout as pause } from "node:timers/promises";

import { PROMPT } from "../../browser/harness/server.mjs";
import { until } from "../../browser/harness/wait.mjs";

import { plant } from "./probe.mjs";
import { Tab } from "./unwatched.mjs";

/** How long a flood runs before it is measured. */
const WARM_MS = 1000;

/** Every text with every page, round by round. */
export async function flood(browser, pages, renderer, texts, rounds, duration, note) {
  for (const text of Object.keys(texts)) {
    for (let round = 0; round < rounds; round += 1) {
      for (const { name, begin } of pages) {
        const served = await begin();
        const page = await Tab.open(browser, plant, PROMPT.trim());
        try {
          const start = name === "xterm.js" ? bare : ours;
          await start(page, served, renderer, text, texts[text]);
          const figures = await measured(page, duration);
          const scene = `page flood ${text} ${renderer}`;
          for (const [metric, unit, value] of figures) note(scene, metric, name, unit, value);
        } finally {
          await page.close();
          await served.stop();
        }
      }
    }
  }
}

async function bare(page, { url }, renderer, text) {
  await page.goto(`${url.href}?${renderer}`);
  await until("the page", () => page.evaluate(() => window.flood !== undefined));
  await page.evaluate((text) => void window.flood(text), text);
}

async function ours(page, { url }, _renderer, _text, file) {
  await page.goto(url.href);
  await until("a prompt", () => page.evaluate(() => window.bench.bytes + window.bench.pictures > 0));
  await page.focus();
  await page.insert(`while :; do cat ${file}; done`);
  await page.press("Enter");
}

/** What has come by in so many milliseconds. */
async function measured(page, duration) {
  const enough = 200_000;
  await until("a flood", () => page.evaluate(() => window.bench.offset), (offset) => offset > enough);
  await pause(WARM_MS);
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
    ["pictures", "per s", (after.pictures - before.pictures) / seconds],
  ];
}
