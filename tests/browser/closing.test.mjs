// Closing terminals with running programs or with guests, and stopping limpet.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

import { Server, assert, pageTest, until } from "./harness.mjs";
import { PHONE, invitation, openViewer } from "./harness/viewers.mjs";

const folder = mkdtempSync(join(tmpdir(), "limpet-kept-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Flags for a limpet whose sign-ins survive a restart. */
const TOKEN_FILE_FLAGS = ["--token-file", join(folder, "token")];

/** The browser's own messages about a server that is away or has another link. */
const EXPECTED_ERRORS = /status of 40[14]|net::ERR_|WebSocket connection to/;

pageTest("an owner is asked before closing what guests watch, and they are told", {}, async (world) => {
  const { page, terminal } = world;
  const guests = [];
  for (const role of ["reader", "writer"]) guests.push(await openViewer(world, {}, await invitation(world, role)));
  const owner = await openViewer(world, {});
  for (const { watch } of [...guests, owner]) watch.tolerate(EXPECTED_ERRORS);
  await page.getByRole("button", { name: "4 viewers" }).waitFor();
  const close = () => terminal.command("Close tab");
  const dialog = page.getByRole("dialog");
  // Without guests, a shell at its prompt is closed without a question.
  await close();
  await dialog.getByText("2 guests are watching this terminal").waitFor();
  await world.screenshot(page, "closing-watched");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await terminal.run("echo kept"), "kept");
  await close();
  await dialog.getByRole("button", { name: "Close tab" }).click();
  await terminal.waitForTabCount(0);
  for (const guest of guests) {
    await guest.terminal.banner().getByText("The owner closed this terminal.").waitFor();
    await guest.terminal.banner().getByRole("button", { name: "Leave" }).waitFor();
  }
  await guests[0].terminal.waitForBanners();
  await world.screenshot(guests[0].page, "closing-guest");
  await owner.terminal.banner().getByText("This terminal was closed in another window.").waitFor();
});

pageTest("a tab that nobody else watches is closed unasked", {}, async (world) => {
  const { terminal, page } = world;
  await openViewer(world, {});
  await page.getByRole("button", { name: "2 viewers" }).waitFor();
  await terminal.command("Close tab");
  await terminal.waitForTabCount(0);
  assert.equal(await page.getByRole("dialog").count(), 0);
});

pageTest("jobs can be left running when a tab is closed", {}, async (world) => {
  const { terminal, page, server } = world;
  const dialog = page.getByRole("dialog");
  await terminal.type("nohup sleep 1000 > /dev/null 2>&1 & echo $! > job; sleep 1001 & echo $! > other\n");
  await until("the jobs", () => server.running(), (names) => names.includes("sleep"));
  await terminal.command("Close tab");
  await dialog.getByText("sleep is still running. Closing the tab ends it.").waitFor();
  await dialog.getByText("programs started with nohup").waitFor();
  await world.screenshot(page, "closing-jobs");
  await page.setViewportSize(PHONE.viewport);
  await world.screenshot(page, "closing-jobs-phone");
  await dialog.getByRole("button", { name: "Close, keep jobs" }).click();
  await terminal.waitForTabCount(0);
  await until("the session's end", () => server.sessions(), (all) => all.length === 0);
  const [job, other] = await Promise.all(["job", "other"].map((name) => server.read(name)));
  await until("the other job's end", async () => !isRunning(other));
  assert.ok(isRunning(job));
  process.kill(Number(job));
  // Without background jobs, that button is not offered.
  await page.locator("main").getByRole("button").first().click();
  await terminal.waitForPrompt();
  await terminal.type("cat\n");
  await until("the program", () => server.running(), (names) => names.includes("cat"));
  await terminal.command("Close tab");
  await dialog.getByRole("button", { name: "Close tab" }).waitFor();
  assert.ok(!(await dialog.getByRole("button", { name: "Close, keep jobs" }).isVisible()));
  await dialog.getByRole("button", { name: "Close tab" }).click();
});

function isRunning(pid) {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
}

pageTest("a limpet that is stopped says goodbye, and the page finds the next one by itself", { cuttable: true }, async (world) => {
  const { terminal, network, server, watch, page } = world;
  watch.tolerate(EXPECTED_ERRORS);
  await server.stop();
  await terminal.banner().getByText("limpet was stopped and its terminals ended.").waitFor();
  await terminal.waitForBanners();
  await world.screenshot(page, "stopped");
  await page.setViewportSize(PHONE.viewport);
  await world.screenshot(page, "stopped-phone");
  const again = await Server.start();
  try {
    network.setTarget(again.url);
    await page.getByText("limpet was restarted. Use the link it printed last.").waitFor();
    await page.getByLabel("Link or token").fill(again.token);
    await page.getByRole("button", { name: "Log in" }).click();
    await terminal.waitForPrompt();
    assert.equal(await terminal.banner().count(), 0);
  } finally {
    await again.stop();
  }
});

pageTest("who stays signed in is told that the terminal ended with the limpet before", { flags: TOKEN_FILE_FLAGS, cuttable: true }, async (world) => {
  const { terminal, network, server, watch } = world;
  watch.tolerate(EXPECTED_ERRORS);
  await server.stop();
  await terminal.banner().getByText("limpet was stopped").waitFor();
  const again = await Server.start(undefined, TOKEN_FILE_FLAGS);
  try {
    network.setTarget(again.url);
    await terminal.banner().getByRole("button", { name: "Try now" }).click();
    await terminal.banner().getByText("limpet was restarted, and this terminal ended.").waitFor();
    await terminal.banner().getByRole("button", { name: "Restart" }).click();
    await terminal.waitForPrompt();
  } finally {
    await again.stop();
  }
});
