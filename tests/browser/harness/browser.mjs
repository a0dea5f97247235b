// The real Chromium: env CHROMIUM, with a fresh profile for each test file.

import { after } from "node:test";
import { chromium } from "playwright-core";

import { LimpetPage } from "./page.mjs";

const FLAGS = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** What makes text legible to tests: without WebGL, terminals are drawn as elements. */
const AS_ELEMENTS = ["--disable-3d-apis"];
/** WebGL in software. */
const AS_PIXELS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

/** Starts a browser for a whole test file. */
export async function startBrowser({ webgl = false } = {}) {
  const args = ["--no-sandbox", ...FLAGS, ...(webgl ? AS_PIXELS : AS_ELEMENTS)];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
  after(() => browser.close());
  return browser;
}

/**
 * Opens a page as a browser that knows nothing yet, and checks at the end of the test `t` that nothing went wrong in it
 * and that it asked no other host. `offline`: broken connections are part of the test.
 */
export async function openPage(t, browser, url, { offline = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, ...options });
  const page = await openIn(t, context, url, { offline });
  t.after(() => context.close());
  return page;
}

/** Opens one more page in the same browser context. */
export async function openIn(t, context, url, { offline = false } = {}) {
  const page = new LimpetPage(t, await context.newPage(), new URL(url).origin);
  t.after(() => page.check(offline));
  await page.raw.goto(url);
  return page;
}
