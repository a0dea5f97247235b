// Opening the page with and without credentials.

import { assert, pageTest } from "./harness.mjs";

/** The browser's own message when the server requires a login. */
const LOGIN_REQUIRED_ERROR = /status of 401/;

pageTest("without a token there is a login, and the right token opens it", { open: false }, async (world) => {
  const { terminal, page, server, link, watch } = world;
  watch.tolerate(LOGIN_REQUIRED_ERROR);
  await page.goto(new URL("/", link).href);
  await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  await page.keyboard.type("not-the-token");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("Wrong token.").waitFor();
  await world.screenshot(page, "login-wrong-token");
  await page.keyboard.type("http://somewhere/");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("That is not a limpet link.").waitFor();
  await page.getByLabel("Link or token").fill(server.url.href);
  await page.getByRole("button", { name: "Log in" }).click();
  await terminal.waitForPrompt();
});

pageTest("a link with a wrong token says so", { open: false }, async ({ page, link, watch }) => {
  watch.tolerate(LOGIN_REQUIRED_ERROR);
  const wrong = new URL(link);
  wrong.hash = "#token=wrong";
  await page.goto(wrong.href);
  await page.getByRole("alert").getByText("Wrong token.").waitFor();
});

pageTest("the token is seen nowhere once the page is open", {}, async ({ page, server, context }) => {
  assert.equal(new URL(page.url()).hash, "");
  const kept = await page.evaluate(() =>
    JSON.stringify([history.state, { ...localStorage }, { ...sessionStorage }, document.cookie]),
  );
  assert.ok(!kept.includes(server.token));
  const [cookie, ...others] = await context.cookies();
  assert.equal(others.length, 0);
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict");
  assert.ok(!cookie.value.includes(server.token));
});

pageTest("the server is asked before the page is here, and once", { open: false }, async ({ terminal, page, link }) => {
  const logins = [];
  page.on("request", (request) => request.url().endsWith("/api/login") && logins.push(request));
  const asked = page.waitForRequest("**/api/sessions");
  await page.route("**/*.wasm", async (route) => {
    await asked;
    await route.continue();
  });
  await page.goto(link.href);
  await terminal.waitForPrompt();
  assert.equal(logins.length, 1);
});

pageTest("who is logged in already finds a terminal by an old link", {}, async (world) => {
  const { terminal, page, server, watch } = world;
  await server.api("DELETE", `api/sessions/${(await server.sessions())[0].id}`);
  watch.tolerate(/401/);
  await page.goto("about:blank");
  await page.goto(`${server.url.origin}/#token=of-another-server`);
  await terminal.waitForPrompt();
});

pageTest("a reload needs no link", {}, async ({ terminal, page }) => {
  await page.goto(page.url());
  await terminal.waitForPrompt();
});

pageTest("it all works under a base path", { flags: ["--base-path", "/a/shell"] }, async ({ terminal, page }) => {
  assert.equal(new URL(page.url()).pathname, "/a/shell/");
  assert.equal(await terminal.run("echo below"), "below");
  await page.reload();
  await terminal.waitForPrompt();
});
