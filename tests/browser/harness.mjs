// A whole-program test: its own limpet, its own browser window, and a final check that the page has
// done nothing forbidden.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { NO_WEBGL, WEBGL, Watch, launch } from "./harness/browser.mjs";
import { required } from "./harness/environment.mjs";
import { Network } from "./harness/proxy.mjs";
import { Server } from "./harness/server.mjs";
import { Terminal } from "./harness/terminal.mjs";
import { DEADLINE_MS, within } from "./harness/wait.mjs";

export { Server } from "./harness/server.mjs";
export { until } from "./harness/wait.mjs";
export { assert };

const browsers = new Map();
after(async () => {
  for (const browser of browsers.values()) await (await browser).close();
});

function browser(args) {
  const name = args.join(" ");
  if (!browsers.has(name)) browsers.set(name, launch(args));
  return browsers.get(name);
}

/** Returns the path of a file for screenshots and logs, and creates its folder if it is missing. */
async function artifactPath(name) {
  const folder = required("ARTIFACTS");
  await mkdir(folder, { recursive: true });
  return join(folder, name);
}

/** The objects that a test works with. */
class World {
  #contexts = [];
  #args;

  constructor(name, args) {
    this.name = name;
    this.#args = args;
  }

  /** Opens a window with its own cookies and storage, like another browser. */
  async window(options = {}) {
    const context = await (
      await browser(this.#args)
    ).newContext({
      viewport: { width: 1000, height: 640 },
      colorScheme: "dark",
      permissions: ["clipboard-read", "clipboard-write"],
      ...options,
    });
    context.setDefaultTimeout(DEADLINE_MS);
    const watch = new Watch(context, (this.network ?? this.server).url);
    await watch.install(context);
    this.#contexts.push({ context, watch });
    return { context, watch, terminal: new Terminal(await context.newPage()) };
  }

  /** Saves a screenshot of a page. */
  async screenshot(page, name) {
    await page.screenshot({ path: await artifactPath(`${name}.png`) });
  }

  /** Fails if any page did something forbidden. */
  assertClean() {
    assert.deepEqual(
      this.#contexts.flatMap(({ watch }) => watch.faults()),
      [],
    );
  }

  /** Saves the log and screenshots that help to understand a failure. */
  async saveArtifacts() {
    const name = `failed-${this.name.replaceAll(/\W+/g, "-")}`;
    await writeFile(await artifactPath(`${name}.log`), this.server.log());
    const pages = this.#contexts.flatMap(({ context }) => context.pages());
    // A page that has crashed gives no screenshot, and only the test's own failure matters.
    await Promise.allSettled(pages.map((page, place) => this.screenshot(page, `${name}-${place}`)));
  }

  /** Closes all windows. */
  async close() {
    for (const { context } of this.#contexts) await context.close();
  }
}

/**
 * Defines a test in a browser.
 * @param {string} name
 * @param {object} options `command` and `flags` of limpet, `window` of Playwright's context,
 * `webgl` to render with WebGL, `cuttable` for a network between page and server, `proxy` for a
 * function that starts a reverse proxy there, given the server's link, `args` of the browser,
 * `open: false` to open no page
 * @param {(world: World & { terminal: Terminal, page: Page, watch: Watch }) => Promise<void>} body
 */
export function pageTest(name, options, body) {
  test(name, async () => {
    const world = new World(name, [...(options.webgl ? WEBGL : NO_WEBGL), ...(options.args ?? [])]);
    world.server = await Server.start(options.command, options.flags);
    try {
      if (options.proxy) world.network = await options.proxy(world.server.url);
      if (options.cuttable) world.network = await Network.start(world.server.url);
      world.link = (world.network ?? world.server).url;
      Object.assign(world, await world.window(options.window));
      world.page = world.terminal.page;
      if (options.open !== false) await world.terminal.open(world.link);
      await within(body(world));
      world.assertClean();
    } catch (error) {
      await world.saveArtifacts();
      throw error;
    } finally {
      await world.close();
      await world.network?.close();
      await world.server.stop();
    }
  });
}
