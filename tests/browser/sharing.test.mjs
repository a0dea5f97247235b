// One terminal, several people: whose size it has, who has the pen, and what guests may do.

import { assert, pageTest, until } from "./harness.mjs";

const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

/** What `stty size` says in a terminal: rows and columns. */
const size = (terminal) => terminal.run("stty size");

/** The chip that tells who has the pen, when it matters. */
const chip = (page) => page.locator(".pen-chip");

/** A link by which somebody is let in to the newest session, to watch or to type. */
async function invitation({ server, link }, role) {
  const { id } = (await server.sessions()).at(-1);
  const passes = await server.api("GET", `api/sessions/${id}/passes`);
  const { token } = passes.find((pass) => pass.role === role);
  return new URL(`#token=${token}`, link);
}

pageTest("a phone does not shrink the desktop until its user takes the pen", {}, async (world) => {
  const { terminal, page, link } = world;
  const desktop = await size(terminal);
  const phone = (await world.window(PHONE)).terminal;
  await phone.open(link);
  await phone.type("echo from the phone\n");
  await terminal.shows(/^from the phone$/m);
  assert.equal(await size(terminal), desktop, "typing leaves the size where it is");
  await chip(phone.page).getByText(/has the pen/).waitFor();
  await world.picture(phone.page, "sharing-phone");
  // All of the desktop's columns are there, in a smaller font.
  const screen = await phone.page.locator(".panel.shown .xterm-screen").boundingBox();
  assert.ok(screen.x >= 0 && screen.x + screen.width <= 361, JSON.stringify(screen));

  await chip(phone.page).getByRole("button", { name: "Take the pen" }).tap();
  const small = await until(
    "another size",
    () => size(phone),
    (now) => now !== desktop,
  );
  await chip(page).getByText(/has the pen/).waitFor();
  await world.picture(page, "sharing-desktop");
  await chip(page).getByRole("button", { name: "Take the pen" }).click();
  await until(
    "the size as it was",
    () => size(terminal),
    (now) => now === desktop,
  );
  assert.notEqual(small, desktop);
});

pageTest("a grid that is larger than the window can be scrolled instead", {}, async (world) => {
  const { terminal, link } = world;
  await terminal.run("printf '%*s\\n' 80 right");
  const phone = (await world.window(PHONE)).terminal;
  await phone.open(link);
  await phone.command("Shrink or scroll");
  const pane = phone.page.locator(".panel.shown > .terminal");
  const room = () => pane.evaluate((pane) => pane.scrollWidth - pane.clientWidth);
  await until("something to scroll to", room, (room) => room > 100);
  // Whoever types sees where.
  await phone.type(`echo ${"x".repeat(60)}`);
  await until(
    "the cursor in sight",
    () => pane.evaluate((pane) => pane.scrollLeft),
    (left) => left > 50,
  );
  await world.picture(phone.page, "sharing-scrolled");
});

pageTest("people are listed, and the pen goes from hand to hand by keyboard", {}, async (world) => {
  const { terminal, page, link } = world;
  const other = (await world.window({ viewport: { width: 700, height: 500 } })).terminal;
  await other.open(link);
  await page.getByRole("button", { name: "2 people here" }).waitFor();
  await terminal.command("People");
  const dialog = page.getByRole("dialog", { name: "People" });
  await dialog.getByText("127.0.0.1").first().waitFor();
  assert.equal(await dialog.locator(".person").count(), 2);
  await world.picture(page, "sharing-people");
  await dialog.getByRole("button", { name: "Give the pen" }).focus();
  await page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Take the pen" }).waitFor();
  await page.keyboard.press("Escape");
  await chip(page).getByText(/has the pen/).waitFor();
  assert.equal(await chip(other.page).isVisible(), false, "who has it and its size needs no telling");
  await terminal.command("Take the pen");
  await chip(other.page).getByText(/has the pen/).waitFor();
});

pageTest("a guest who may watch sees all of it and changes nothing", {}, async (world) => {
  const { terminal } = world;
  await terminal.run("echo seen by all");
  const guest = (await world.window()).terminal;
  await guest.page.goto((await invitation(world, "reader")).href);
  await guest.shows(/^seen by all$/m);
  await chip(guest.page).getByText("You only watch").waitFor();
  await guest.type("echo never\n");
  await guest.page.getByText("what you type goes nowhere").waitFor();
  await terminal.run("echo later");
  await guest.shows(/^later$/m);
  assert.doesNotMatch(await terminal.text(), /never/);
  for (const name of ["New terminal", "Share…"]) {
    assert.equal(await guest.page.getByRole("button", { name }).count(), 0, name);
  }
  await world.picture(guest.page, "sharing-guest");
});

pageTest("a guest who may type shares the keyboard, and leaves without ending anything", {}, async (world) => {
  const { terminal, server } = world;
  await terminal.prompt();
  const link = await invitation(world, "writer");
  const guest = (await world.window()).terminal;
  await guest.page.goto(link.href);
  await guest.prompt();
  assert.equal(guest.page.url().includes("token"), false, "the pass is taken out of the address");
  await guest.type("echo by the guest\n");
  await terminal.shows(/^by the guest$/m);
  await guest.page.reload();
  await guest.shows(/^by the guest$/m);
  await guest.command("Close tab");
  await guest.page.getByText("It goes on without you").waitFor();
  assert.equal((await server.sessions()).length, 1);
  await guest.page.getByRole("button", { name: "Come back" }).click();
  await guest.shows(/^by the guest$/m);
});

pageTest("an owner finds the links, and the rules", {}, async (world) => {
  const { terminal, page, server } = world;
  await terminal.command("Share");
  const dialog = page.getByRole("dialog", { name: "Share" });
  await dialog.getByText("Can watch").waitFor();
  await dialog.getByRole("button", { name: /copy/i }).first().click();
  await until(
    "the link in the clipboard",
    () => terminal.clipboard(),
    (text) => text.includes("#token=reader."),
  );
  await dialog.getByLabel("Whose window decides the size").selectOption({ label: "The smallest window" });
  await until(
    "another rule",
    () => server.sessions(),
    ([session]) => session.sizing === "smallest",
  );
  await world.picture(page, "sharing-links");
});
