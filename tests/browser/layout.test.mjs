// The page on small and large screens. Pictures of all are kept.

import { assert, pageTest, until } from "./harness.mjs";

const SCREENS = [
  { name: "phone", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
  { name: "tablet", viewport: { width: 820, height: 1180 }, hasTouch: true, isMobile: true },
  { name: "laptop", viewport: { width: 1440, height: 900 } },
  { name: "4k", viewport: { width: 3840, height: 2160 } },
];

/** Something to look at. */
const SAMPLE =
  'ls -la --color=always /usr | tail -n 8; for c in 1 2 3 4 5 6; do printf "\\e[3${c}m colour $c \\e[9${c}mbright\\e[m"; done; echo';

/** Nothing sticks out of the window, and the terminal's cells do not stick out of their pane. */
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

/** Waits until something is there, and has moved to where it belongs. */
async function shown(locator) {
  await locator.waitFor();
  await locator.evaluate((element) =>
    Promise.all(element.getAnimations({ subtree: true }).map(({ finished }) => finished)),
  );
}

for (const { name, ...screen } of SCREENS) {
  for (const colorScheme of ["dark", "light"]) {
    pageTest(`all of it fits on a ${name}, ${colorScheme}`, { window: { ...screen, colorScheme } }, async (world) => {
      const { terminal, page } = world;
      const picture = (what) => world.picture(page, `${name}-${colorScheme}-${what}`);
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
        await shown(page.getByRole("dialog"));
        await assertFits(page, overlay);
        await picture(overlay);
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      await terminal.type("exit 1\n");
      await shown(terminal.banner());
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
    await terminal.shows(/echo agai\|n$/);
    await bar.getByRole("button", { name: "Ctrl" }).tap();
    await page.keyboard.type("u");
    await terminal.shows(/ready> n$/);
    await bar.getByRole("button", { name: "Ctrl" }).tap();
    await page.keyboard.type("c");
    await terminal.prompt();
    await page.keyboard.type("sleep 1000\n");
    await bar.getByRole("button", { name: "Ctrl" }).tap();
    await page.keyboard.type("c");
    await terminal.prompt();
  },
);

pageTest("many tabs are all within reach", {}, async ({ terminal, page }) => {
  for (let count = 2; count <= 12; count++) {
    await page.keyboard.press("Control+Shift+Enter");
    await terminal.tabCount(count);
  }
  const visible = (place) =>
    terminal.tab(place).evaluate((tab) => {
      const [tabs, box] = [tab.parentElement.getBoundingClientRect(), tab.getBoundingClientRect()];
      return box.left >= tabs.left - 1 && box.right <= tabs.right + 1;
    });
  await until("the new tab in sight", () => visible(11));
  await page.keyboard.press("Control+Shift+1");
  await until("the first tab in sight", () => visible(0));
  await assertFits(page, "many tabs");
});

pageTest("nothing jumps while the page loads", {}, async ({ terminal, page }) => {
  await page.reload();
  await terminal.prompt();
  const jumps = await page.evaluate(() => {
    const observer = new PerformanceObserver(() => {});
    observer.observe({ type: "layout-shift", buffered: true });
    const describe = ({ value, sources }) => `${value}: ${sources.map(({ node }) => node?.outerHTML?.slice(0, 80))}`;
    // The dot before the connection's state gives way to its words, which is a tenth of this.
    return observer
      .takeRecords()
      .filter(({ value }) => value > 0.001)
      .map(describe);
  });
  assert.deepEqual(jumps, []);
});
