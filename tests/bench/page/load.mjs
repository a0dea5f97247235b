// The files that the page fetches, and the time until the first prompt is on the screen.

import { PROMPT } from "../../browser/harness/server.mjs";
import { until } from "../../browser/harness/wait.mjs";

import { contextWithProbe, installProbe } from "./probe.mjs";
import { Tab } from "./unwatched.mjs";

const SCENE = "page load";

/** Measures the first prompt with an empty cache, and again with a full one. */
export async function load(browser, pages, rounds, recordFigure) {
  for (const { name, begin } of pages) {
    const served = await begin();
    await measureFileSizes(browser, served, name, recordFigure).finally(() => served.stop());
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, begin } of pages) {
      const served = await begin();
      const page = await Tab.open(browser, installProbe, PROMPT.trim());
      try {
        await page.goto(served.url.href);
        recordFigure(SCENE, "first prompt, cold", name, "ms", await waitForPrompt(page));
        // A returning user had left a page that was completely loaded and idle.
        await until("the whole page", () => page.evaluate(() => document.querySelector(".workspace, #terminal") !== null));
        await page.evaluate(() => new Promise((rests) => requestIdleCallback(rests)));
        // The address has no token then: the page has removed it.
        const address = await page.evaluate(() => location.href);
        await page.goto("about:blank");
        await page.goto(address);
        recordFigure(SCENE, "first prompt, warm", name, "ms", await waitForPrompt(page));
      } finally {
        await page.close();
        await served.stop();
      }
    }
  }
}

/** Waits for the prompt, and returns its time in milliseconds since the page was requested. */
export function waitForPrompt(page) {
  return until("a prompt", () => page.evaluate(() => window.bench?.prompt ?? 0), (time) => time > 0);
}

/**
 * Measures the bytes on the wire, compressed as by the server: of files requested before the
 * prompt, and in all.
 */
async function measureFileSizes(browser, served, name, recordFigure) {
  const context = await contextWithProbe(browser, PROMPT.trim());
  try {
    const page = await context.newPage();
    const requests = [];
    page.on("requestfinished", (request) => requests.push(request));
    await page.goto(served.url.href);
    await waitForPrompt(page);
    await page.waitForLoadState("networkidle");
    await recordFileSizes(page, requests, name, recordFigure);
  } finally {
    await context.close();
  }
}

async function recordFileSizes(page, requests, name, recordFigure) {
  const prompt = await page.evaluate(() => performance.timeOrigin + window.bench.prompt);
  let [sum, all] = [0, 0];
  for (const request of requests) {
    const path = new URL(request.url()).pathname;
    if (path.includes("/api/") || request.url().startsWith("data:")) continue;
    const { responseBodySize } = await request.sizes();
    // An icon is requested twice, but transferred once.
    if (responseBodySize === 0) continue;
    all += responseBodySize;
    if (request.timing().startTime < prompt) sum += responseBodySize;
    const file = path.split("/").at(-1).replace(/-[0-9a-f]{16}/, "") || "index.html";
    if (name === "limpet") recordFigure("page files", file, name, "bytes", responseBodySize);
  }
  recordFigure("page files", "until the prompt", name, "bytes", sum);
  recordFigure("page files", "all", name, "bytes", all);
}
