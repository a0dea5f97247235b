// The page on small and large screens, with screenshots of all.

import { assert, pageTest, until } from "./harness.mjs";

const SCREENS = [
  { name: "phone", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
  { name: "tablet", viewport: { width: 820, height: 1180 }, hasTouch: true, isMobile: true },
  { name: "laptop", viewport: { width: 1440, height: 900 } },
  { name: "4k", viewport: { width: 3840, height: 2160 } },
];

/** Command with output to look at. */
const SAMPLE =
  'ls -la --color=always /usr | tail -n 8; for c in 1 2 3 4 5 6; do printf "\\e[3${c}m colour $c \\e[9${c}mbright\\e[m"; done; echo';

/**
 * Checks that nothing extends beyond the window, and that the terminal's cells fit into their pane.
 */
async function assertFits(page, what) {
  const faults = await page.evaluate(() => {
    const faults = [];
    const root = document.scrollingElement;
    if (root.scrollWidth > innerWidth || root.scrollHeight > innerHeight) faults.push("the page scrolls");
    const pane = document.querySelector(".panel.shown").getBoundingClientRect();
    const cells = document.querySelector(".panel.shown .xterm-screen").getBoundingClientRect();
    if (cells.right > pane.right + 0.5 || cells.bottom > pane.bottom + 0.5) faults.push("cells stick out");
    const shown = (element) => element.getClientRects().length > 0;
    for (const control of document.querySelectorAll(
      "header.bar button, .banner, .banner button, dialog, dialog button, dialog input",
    )) {
      const box = control.getBoundingClientRect();
      const scrolls = control.closest(".picker-list, .settings-body, .help-groups, .switcher");
      const outside =
        box.left < -0.5 ||
        box.right > innerWidth + 0.5 ||
        box.top < -0.5 ||
        (!scrolls && box.bottom > innerHeight + 0.5);
      if (shown(control) && outside) faults.push(`${control.outerHTML.slice(0, 120)} sticks out`);
    }
    return faults;
  });
  assert.deepEqual(faults, [], what);
}

/** Waits until an element is there, and has finished its animations. */
async function waitUntilStill(locator) {
  await locator.waitFor();
  await locator.evaluate((element) =>
    Promise.all(element.getAnimations({ subtree: true }).map(({ finished }) => finished)),
  );
}

for (const { name, ...screen } of SCREENS) {
  for (const colorScheme of ["dark", "light"]) {
    pageTest(`all of it fits on a ${name}, ${colorScheme}`, { window: { ...screen, colorScheme } }, async (world) => {
      const { terminal, page } = world;
      const picture = (what) => world.screenshot(page, `${name}-${colorScheme}-${what}`);
      await terminal.run(SAMPLE);
      await assertFits(page, "terminal");
      await picture("terminal");
      const overlays = {
        palette: "Control+Shift+P",
        themes: "Control+Shift+Y",
        settings: "Control+Shift+,",
        help: "Control+Shift+?",
        tabs: "Control+Shift+O",
      };
      for (const [overlay, keys] of Object.entries(overlays)) {
        await page.keyboard.press(keys);
        await waitUntilStill(page.getByRole("dialog"));
        await assertFits(page, overlay);
        await picture(overlay);
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      await terminal.type("exit 1\n");
      await waitUntilStill(terminal.banner());
      await assertFits(page, "banner");
      await picture("ended");
    });
  }
}

pageTest(
  "on a phone, the bar of keys has those that its keyboard lacks",
  { window: SCREENS[0] },
  async ({ terminal, page }) => {
    const bar = page.getByRole("toolbar", { name: "Keys" });
    await terminal.type("echo again");
    await bar.getByRole("button", { name: "Left" }).tap();
    await bar.getByRole("button", { name: "|" }).tap();
    await terminal.waitForText(/echo agai\|n$/);
    await bar.getByRole("button", { name: "Ctrl" }).tap();
    await page.keyboard.type("u");
    await terminal.waitForText(/ready> n$/);
    await bar.getByRole("button", { name: "Ctrl" }).tap();
    await page.keyboard.type("c");
    await terminal.waitForPrompt();
    await page.keyboard.type("sleep 1000\n");
    await bar.getByRole("button", { name: "Ctrl" }).tap();
    await page.keyboard.type("c");
    await terminal.waitForPrompt();
  },
);

/** Opens terminals as another client does, until the page has this many tabs. */
async function openElsewhere({ server, terminal, page }, count) {
  for (let sessions = (await server.sessions()).length; sessions < count; sessions++) {
    await server.api("POST", "api/sessions", {});
  }
  // The page requests the list of sessions whenever its window gets the focus.
  await page.evaluate(() => window.dispatchEvent(new FocusEvent("focus")));
  await terminal.waitForTabCount(count);
}

pageTest("many tabs are all within reach, and what is out of sight is counted", {}, async (world) => {
  const { terminal, page } = world;
  const more = page.getByRole("button", { name: /^\d+ more$/ });
  assert.ok(await more.isHidden());
  await openElsewhere(world, 20);
  const inSight = (place) =>
    terminal.tab(place).evaluate((tab) => {
      const [tabs, box] = [tab.parentElement.getBoundingClientRect(), tab.getBoundingClientRect()];
      return box.left >= tabs.left - 1 && box.right <= tabs.right + 1;
    });
  const counted = async () => Number.parseInt(await more.textContent(), 10);
  const reallyHidden = () =>
    page.locator(".tabs").evaluate((tabs) => {
      const { left, right } = tabs.getBoundingClientRect();
      const middles = [...tabs.children].map((tab) => tab.getBoundingClientRect()).map(({ x, width }) => x + width / 2);
      return middles.filter((middle) => middle < left || middle > right).length;
    });
  await more.waitFor();
  await until("the number that is out of sight", async () => (await counted()) === (await reallyHidden()));
  const fades = () => page.locator(".tabs").evaluate((tabs) => [...tabs.classList].filter((name) => name !== "tabs").sort().join());
  await until("a fade on the right", fades, (classes) => classes === "cut-after");
  await world.screenshot(page, "many-tabs");

  // The wheel scrolls to the end.
  await page.locator(".tabs").hover();
  await page.mouse.wheel(0, 300);
  await until("a fade on both sides", fades, (classes) => classes === "cut-after,cut-before");
  await page.mouse.wheel(0, 10_000);
  await until("the last tab in sight", () => inSight(19));
  await until("a fade on the left", fades, (classes) => classes === "cut-before");
  assert.equal(await counted(), await reallyHidden());

  // The button with the number lists all tabs.
  await more.click();
  await page.getByRole("dialog", { name: "Tabs" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  await page.keyboard.press("Control+Shift+Enter");
  await terminal.waitForTabCount(21);
  await until("the new tab in sight", () => inSight(20));
  await page.keyboard.press("Control+Shift+1");
  await until("the first tab in sight", () => inSight(0));
  await assertFits(page, "many tabs");
});

pageTest("nothing jumps while the page loads", {}, async ({ terminal, page }) => {
  await page.reload();
  await terminal.waitForPrompt();
  const jumps = await page.evaluate(() => {
    const observer = new PerformanceObserver(() => {});
    observer.observe({ type: "layout-shift", buffered: true });
    const describe = ({ value, sources }) => `${value}: ${sources.map(({ node }) => node?.outerHTML?.slice(0, 80))}`;
    // The dot is replaced by the words for the connection's state, which causes a tenth of this
    // shift.
    return observer
      .takeRecords()
      .filter(({ value }) => value > 0.001)
      .map(describe);
  });
  assert.deepEqual(jumps, []);
});
