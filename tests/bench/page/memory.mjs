// The memory that many tabs take.

import { PROMPT, Server } from "../../browser/harness/server.mjs";
import { DEADLINE_MS, until } from "../../browser/harness/wait.mjs";

import { contextWithProbe } from "./probe.mjs";

/** Measures a page with this many tabs after showing each tab once. */
export async function memory(browser, tabs, recordFigure) {
  const served = await Server.start();
  const context = await contextWithProbe(browser, PROMPT.trim());
  try {
    for (let tab = 0; tab < tabs; tab += 1) await served.api("POST", "api/sessions", {});
    const page = await context.newPage();
    page.setDefaultTimeout(DEADLINE_MS);
    await page.goto(served.url.href);
    await until("all tabs", () => page.locator("[role=tab]").count(), (count) => count === tabs);
    for (let tab = 0; tab < tabs; tab += 1) {
      await page.locator("[role=tab]").nth(tab).click();
      const shown = () => page.locator(".panel.shown .xterm-rows").textContent();
      await until("a prompt", shown, (text) => text.includes(PROMPT.trim()));
    }
    const devtools = await context.newCDPSession(page);
    await devtools.send("Performance.enable");
    await devtools.send("HeapProfiler.collectGarbage");
    const { metrics } = await devtools.send("Performance.getMetrics");
    const metric = (name) => metrics.find((metric) => metric.name === name).value;
    recordFigure("page memory", `heap, ${tabs} tabs`, "limpet", "MiB", metric("JSHeapUsedSize") / 2 ** 20);
    recordFigure("page memory", `nodes, ${tabs} tabs`, "limpet", "", metric("Nodes"));
  } finally {
    await context.close();
    await served.stop();
  }
}
