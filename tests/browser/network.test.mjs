// A network that goes away and comes back.

import { Server, assert, pageTest, until } from "./harness.mjs";

/** The browser's own messages about a missing network. */
const NETWORK_ERRORS = /net::ERR_|WebSocket connection to/;

pageTest("what is printed and typed while the network is cut arrives once", { cuttable: true }, async (world) => {
  const { terminal, network, server, watch } = world;
  watch.tolerate(NETWORK_ERRORS);
  await terminal.type("until [ -e go ]; do sleep 0.1; done; seq 3000 > /dev/tty; touch done; cat\n");
  await until(
    "the loop",
    () => server.running(),
    (names) => names.includes("sleep"),
  );
  network.cut();
  await terminal.banner().getByText("Connection lost.").waitFor();
  assert.equal(await terminal.status(), "Reconnecting");

  await server.file("go", "");
  await until("the end of its output", () => server.exists("done"));
  await terminal.type("typed while cut\n");
  network.restore();
  await terminal.waitForText(/^typed while cut\ntyped while cut$/m);
  await terminal.banner().waitFor({ state: "detached" });
  await until(
    "a live connection",
    () => terminal.status(),
    (word) => word === "Connected",
  );
  const rows = (await terminal.text()).split("\n");
  const last = rows.indexOf("3000");
  const wanted = Array.from({ length: last }, (_, row) => String(3000 - last + row));
  assert.deepEqual(rows.slice(0, last), wanted);
  assert.deepEqual(rows.slice(last + 1), ["typed while cut", "typed while cut"]);
  await terminal.press("Control+d");
  await terminal.waitForPrompt();
});

/** Returns the page's text about the connection, beside the dot. */
function connectionStatus(page) {
  return page.locator(".status").evaluate((status) => ({
    tone: status.dataset.tone,
    words: [...status.querySelectorAll(".status-detail > span")].map((part) => part.textContent).join(" "),
  }));
}

pageTest("a server that stands still is told of, with the keys that wait", {}, async (world) => {
  const { terminal, page, server } = world;
  await until("a latency", () => connectionStatus(page), ({ tone, words }) => tone === "good" && words.includes("ms"));
  await server.signal("SIGSTOP");
  try {
    await page.keyboard.type("echo");
    const { words } = await until("a warning", () => connectionStatus(page), ({ tone }) => tone === "warning");
    assert.equal(words, "Not responding… 4 keys waiting");
    assert.equal(await terminal.status(), "Not responding");
    await page.keyboard.type(" again");
    await until("more keys", () => connectionStatus(page), ({ words }) => words === "Not responding… 10 keys waiting");
    await world.screenshot(page, "not-responding");
  } finally {
    await server.signal("SIGCONT");
  }
  await until("a live connection", () => connectionStatus(page), ({ tone }) => tone === "good");
  await page.keyboard.type("\n");
  await terminal.waitForText(/^again$/m);
});

pageTest("a program that does not read is no silent server", {}, async ({ terminal, page, server }) => {
  await terminal.type("stty raw -echo; sleep 1000\n");
  await until(
    "sleep",
    () => server.running(),
    (names) => names.includes("sleep"),
  );
  // This is more than the kernel buffers for a program, so acknowledgements stop.
  await page.evaluate((text) => navigator.clipboard.writeText(text), "x".repeat(200_000));
  await page.evaluate(() => {
    window.tones = new Set();
    const note = () => window.tones.add(document.querySelector(".status").dataset.tone);
    new MutationObserver(note).observe(document.querySelector(".status"), { attributes: true });
    // Pings are still answered, and each answer changes the displayed round-trip time.
    window.pongs = 0;
    const detail = document.querySelector(".status-detail");
    new MutationObserver(() => window.pongs++).observe(detail, { characterData: true, childList: true, subtree: true });
  });
  await terminal.press("Control+Shift+v");
  await until("two answers", () => page.evaluate(() => window.pongs), (pongs) => pongs >= 2);
  assert.deepEqual(await page.evaluate(() => [...window.tones]), []);
});

pageTest("a connection is tried again at once when one asks for it", { cuttable: true }, async (world) => {
  const { terminal, network, watch, page } = world;
  watch.tolerate(NETWORK_ERRORS);
  await page.clock.install();
  await page.reload();
  await terminal.waitForPrompt();
  network.cut();
  const now = terminal.banner().getByRole("button", { name: "Reconnect now" });
  await now.focus();
  await page.clock.runFor(5_000);
  // With its clock stopped, the page does not reconnect by itself.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1000));
  await terminal
    .banner()
    .getByText(/Reconnecting in \d+ s/)
    .waitFor();
  network.restore();
  assert.ok(await now.evaluate((button) => button === document.activeElement), "the button kept the focus meanwhile");
  await now.press("Enter");
  await terminal.banner().waitFor({ state: "detached" });
  await page.clock.resume();
  assert.equal(await terminal.run("echo back"), "back");
});

pageTest("a flood is shown whole although the network is cut again and again", { cuttable: true }, async (world) => {
  const { terminal, network, watch } = world;
  watch.tolerate(NETWORK_ERRORS);
  await terminal.type("for i in $(seq 10 49); do seq ${i}000 ${i}999; sleep 0.1; done\n");
  for (let times = 0; times < 4; times++) {
    await terminal.waitForText(/^\d{5}$/m);
    network.cut();
    await terminal.banner().waitFor();
    network.restore();
    await terminal.banner().waitFor({ state: "detached" });
  }
  await terminal.waitForText(/49999\nready>$/);
  // The selection includes the scrollback, whose first lines are gone.
  await terminal.press("Control+Shift+a", "Control+Shift+c");
  const copied = await until("the copy", () => terminal.clipboard());
  const numbers = copied
    .split("\n")
    .filter((line) => /^\d{5}$/.test(line))
    .map(Number);
  assert.ok(numbers.length >= 1000, `${numbers.length} lines`);
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, place) => 50_000 - numbers.length + place),
  );
});

pageTest("a terminal that was closed while the network was cut says so", { cuttable: true }, async (world) => {
  const { terminal, network, server, watch } = world;
  watch.tolerate(NETWORK_ERRORS);
  watch.tolerate(/status of 404/);
  network.cut();
  await terminal.banner().waitFor();
  const [{ id }] = await server.sessions();
  await server.api("DELETE", `api/sessions/${id}`);
  network.restore();
  await terminal.banner().getByText("This terminal no longer exists").waitFor();
  await terminal.banner().getByRole("button", { name: "Restart" }).click();
  await terminal.banner().waitFor({ state: "detached" });
  await terminal.waitForPrompt();
});

pageTest("a page that is opened without a server can be tried again", { cuttable: true }, async (world) => {
  const { terminal, network, watch, page } = world;
  watch.tolerate(NETWORK_ERRORS);
  await page.route("**/api/access", (route) => route.abort());
  await page.reload();
  await page.getByRole("heading", { name: "Cannot reach limpet" }).waitFor();
  await page.unroute("**/api/access");
  await page.getByRole("button", { name: "Try again" }).click();
  await terminal.waitForPrompt();
});

pageTest("a server that was started again wants its new link", { cuttable: true }, async (world) => {
  const { terminal, network, server, watch, page } = world;
  watch.tolerate(NETWORK_ERRORS);
  watch.tolerate(/status of 40[14]/);
  await server.stop();
  await terminal.banner().getByText("limpet was stopped").waitFor();
  const again = await Server.start();
  try {
    network.setTarget(again.url);
    await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
    await page.getByLabel("Link or token").fill(again.token);
    await page.getByRole("button", { name: "Log in" }).click();
    await terminal.waitForPrompt();
    assert.equal(await terminal.run("echo anew"), "anew");
  } finally {
    await again.stop();
  }
});
