// Text that terminals treat differently: page and server show the same, as programs expect it.

import { assert, pageTest, until } from "./harness.mjs";

/** Returns the server's screen, in the form in which the page shows text. */
async function serverText(server) {
  const [{ id }] = await server.sessions();
  const response = await fetch(new URL(`api/sessions/${id}/screen`, server.url), {
    headers: { authorization: `Bearer ${server.token}` },
  });
  return (await response.text()).trimEnd();
}

/** Waits until page and server show the same text, and it matches. */
function waitForBoth({ terminal, server }, pattern) {
  return until(
    `${pattern} in page and server`,
    async () => [await terminal.text(), await serverText(server)],
    ([page, screen]) => page === screen && pattern.test(page),
  );
}

pageTest("a line that does not fit into a narrower window comes back with the window", {}, async (world) => {
  const { terminal, page } = world;
  const { width, height } = page.viewportSize();
  await terminal.type("clear; printf 'START-%s-END' $(printf 'm%.0s' $(seq 1 80)); sleep 100\n");
  const whole = /^START-m{80}-END$/m;
  await waitForBoth(world, whole);
  await page.setViewportSize({ width: 500, height });
  await waitForBoth(world, /^START-m{20,70}$/m);
  await page.setViewportSize({ width, height });
  await waitForBoth(world, whole);
  // The snapshot that a reloaded page gets contains the whole line as well.
  await page.setViewportSize({ width: 500, height });
  await waitForBoth(world, /^START-m{20,70}$/m);
  await page.reload();
  await waitForBoth(world, /^START-m{20,70}$/m);
  await page.setViewportSize({ width, height });
  await waitForBoth(world, whole);
});

pageTest("bash edits a line with emoji where it shows them", {}, async (world) => {
  const { terminal } = world;
  await terminal.waitForPrompt();
  await terminal.type("echo ❤️|abc👍🏽🇩🇪é日");
  await waitForBoth(world, /^ready> echo ❤️\|abc👍🏽🇩🇪é日$/m);
  await terminal.press("Control+a");
  await terminal.type("Z");
  await terminal.press("Control+e");
  await terminal.type("Y");
  await waitForBoth(world, /^ready> Zecho ❤️\|abc👍🏽🇩🇪é日Y$/m);
  await terminal.press("Backspace", "Backspace", "Backspace");
  await terminal.type("x");
  await waitForBoth(world, /^ready> Zecho ❤️\|abc👍🏽🇩🇪x$/m);
  await terminal.press("Control+u");
});

pageTest("a program is told whether grapheme clusters count", {}, async (world) => {
  const { terminal } = world;
  const ask = (mode) => `printf '\\e[?2027${mode}\\e[?2027$p'; read -rsd y answer; echo "\${answer#?}"`;
  assert.equal(await terminal.run(ask("h")), "[?2027;1$");
  assert.equal(await terminal.run("printf '❤️|\\n'"), "❤️|");
  await waitForBoth(world, /^❤️\|$/m);
  assert.equal(await terminal.run(ask("l")), "[?2027;2$");
});

pageTest("bytes that are no text are shown as such", {}, async (world) => {
  const { terminal } = world;
  await terminal.run("printf 'caf\\xe9\\n'; printf '\\xf0\\x9f'; sleep 0.1; printf '\\x98x\\n'");
  await waitForBoth(world, /^caf\ufffd\n\ufffdx$/m);
});

pageTest("a colour that is set and asked for at once is set in every window", {}, async (world) => {
  const { terminal, link } = world;
  const { terminal: other } = await world.window();
  await other.open(link);
  await terminal.run("printf '\\e]4;1;#abcdef;1;?\\e\\\\\\e[31mred\\e[m\\n'; read -rsd '\\' answer");
  for (const { page } of [terminal, other]) {
    const text = page.locator(".panel.shown .xterm-rows span", { hasText: /^red$/ });
    await until(
      "the new colour",
      () => text.evaluate((element) => getComputedStyle(element).color),
      (colour) => colour === "rgb(171, 205, 239)",
    );
  }
});
