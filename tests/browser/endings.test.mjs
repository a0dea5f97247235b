// How programs end, and what the page offers then.

import { assert, pageTest, until } from "./harness.mjs";

/** The browser's own message when the server no longer knows a session. */
const NOT_FOUND_ERROR = /status of 404/;

pageTest("an exit code is shown, and the program can be started again", {}, async ({ terminal, server }) => {
  await terminal.run("echo of the first");
  await terminal.type("exit 3\n");
  await terminal.banner().getByText("Exited with code 3.").waitFor();
  const [first] = await server.sessions();
  assert.deepEqual(first.exit, { code: 3 });

  await terminal.banner().getByRole("button", { name: "Restart" }).click();
  await terminal.banner().waitFor({ state: "detached" });
  await terminal.waitForPrompt();
  // The earlier output is still there, above.
  await terminal.waitForText(/of the first\nready> exit 3\nexit\n── above: [^\n]* ──\nready>$/);
  assert.equal((await terminal.tabs()).length, 1);
  const sessions = await until(
    "the old session's end",
    () => server.sessions(),
    (all) => all.length === 1,
  );
  assert.notEqual(sessions[0].id, first.id);
});

pageTest("the tab of a program that has ended can be closed", {}, async ({ terminal, server, page }) => {
  await terminal.type("exit\n");
  await terminal.banner().getByText("Finished.").waitFor();
  await terminal.banner().getByRole("button", { name: "Close" }).click();
  await terminal.waitForTabCount(0);
  await until(
    "no session",
    () => server.sessions(),
    (all) => all.length === 0,
  );
  await page.locator("main").getByRole("button").first().click();
  await terminal.waitForPrompt();
});

pageTest("a shell that is killed says so", {}, async ({ terminal }) => {
  await terminal.type("kill -9 $$\n");
  await terminal
    .banner()
    .getByText(/Ended by .*(SIGKILL|signal 9)/)
    .waitFor();
  await terminal.banner().getByRole("button", { name: "Restart" }).click();
  await terminal.banner().waitFor({ state: "detached" });
  await terminal.waitForPrompt();
});

pageTest("a job in the background does not hold the end off", {}, async ({ terminal, server }) => {
  await terminal.type("sleep 1000 & exit 5\n");
  await terminal.banner().getByText("Exited with code 5.").waitFor();
  assert.deepEqual((await server.sessions())[0].exit, { code: 5 });
});

pageTest("a program's last words are all there", {}, async ({ terminal }) => {
  await terminal.type("seq 20000; echo last words; exit\n");
  await terminal.banner().waitFor();
  // The program may have ended before all its output is rendered.
  await terminal.waitForText(/19999\n20000\nlast words\nexit/);
});

pageTest("a terminal that is closed elsewhere shows its end", {}, async ({ terminal, server, watch }) => {
  watch.tolerate(NOT_FOUND_ERROR);
  const [{ id }] = await server.sessions();
  await server.api("DELETE", `api/sessions/${id}`);
  await terminal.banner().getByText("This terminal was closed in another window.").waitFor();
  await terminal.banner().getByRole("button", { name: "Restart" }).click();
  await terminal.banner().waitFor({ state: "detached" });
  await terminal.waitForPrompt();
});

pageTest("Enter starts an ended program again, and Tab leads to the buttons", {}, async ({ terminal, page, server }) => {
  await terminal.type("echo before; exit 3\n");
  await terminal.banner().getByText("Enter restarts, Esc closes.").waitFor();
  await page.keyboard.type("no letters");
  await page.keyboard.press("Tab");
  await until("the keyboard with a button", () => terminal.focused(), (name) => /Restart|Close/.test(name));
  await page.keyboard.press("Shift+Tab");
  await until("the terminal", () => terminal.focused(), (name) => /^Terminal/.test(name));
  await page.keyboard.press("Enter");
  await terminal.banner().waitFor({ state: "detached" });
  await terminal.waitForText(/before\n[^]*ready>$/);
  await page.keyboard.type("echo again\n");
  await terminal.waitForText(/^again$/m);
  await until("one session", () => server.sessions(), (all) => all.length === 1);
});

for (const key of ["Escape", "Control+d"]) {
  pageTest(`${key} closes the tab of an ended program`, {}, async ({ terminal, page, server }) => {
    await terminal.type("exit 3\n");
    await terminal.banner().waitFor();
    await page.keyboard.press(key);
    await terminal.waitForTabCount(0);
    await until("no session", () => server.sessions(), (all) => all.length === 0);
  });
}

pageTest("if it is wanted so, only failures stay", {}, async ({ terminal, page }) => {
  await page.keyboard.press("Control+Shift+,");
  await page.getByRole("switch", { name: "Close a tab when its program succeeds" }).click();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+Shift+Enter");
  await terminal.waitForTabCount(2);
  await terminal.waitForPrompt();
  await terminal.type("exit 1\n");
  await terminal.banner().waitFor();
  await terminal.tab(0).click();
  await terminal.waitForPrompt();
  await terminal.type("exit\n");
  await terminal.waitForTabCount(1);
  await terminal.banner().getByText("Exited with code 1.").waitFor();
});
