// The server is killed or replaced while a page is open.

import { assert, pageTest, until } from "./harness.mjs";

pageTest(
  "a page whose machine has slept looks after its connection as soon as somebody is there",
  { open: false },
  async (world) => {
    const { page, terminal, server, link } = world;
    let asked = 0;
    await page.routeWebSocket(/./, (socket) => {
      const far = socket.connectToServer();
      socket.onMessage((message) => {
        if (typeof message === "string" && JSON.parse(message).type === "ping") asked++;
        far.send(message);
      });
    });
    await page.clock.install();
    await terminal.open(link);
    // As while a machine sleeps: no timer expires, but the wall clock advances.
    const now = await page.evaluate(() => Date.now());
    await page.clock.pauseAt(now + 1000);
    await page.mouse.click(500, 300);
    await terminal.type("touch here\n");
    await until("the program's answer, which needs no timer", () => server.exists("here"));
    const before = asked;
    await page.clock.setSystemTime(now + 3_600_000);
    await page.mouse.click(500, 300);
    await until(
      "a question to the server",
      async () => asked,
      (count) => count > before,
    );
  },
);

for (const replacement of ["kill", "upgrade"]) {
  pageTest(`a page and its programs go on by themselves after a server's ${replacement}`, {}, async (world) => {
    const { terminal, page, server } = world;
    await terminal.type("vim -u NONE\n");
    await terminal.waitForText("VIM - Vi IMproved");
    await terminal.type("ibefore, ");
    for (let round = 1; round <= 3; round++) {
      await server[replacement]();
      // Input typed while no server runs arrives as well, once.
      await terminal.type(`round ${round}, `);
      await terminal.waitForText(`round ${round},`);
    }
    await terminal.waitForText(/^before, round 1, round 2, round 3,\n~/);
    await until(
      "the connection to be well",
      () => terminal.status(),
      (word) => word === "Connected",
    );
    assert.equal(await terminal.banner().count(), 0);
    await terminal.press("Escape");
    await terminal.type(":q!\n");
    await terminal.waitForPrompt();
    // Nothing is redrawn, so the selection stays.
    await terminal.run("echo precious");
    await terminal.click("precious", { clickCount: 2 });
    const another = page.waitForEvent("websocket");
    await server[replacement]();
    await another;
    await until(
      "the connection to be well",
      () => terminal.status(),
      (word) => word === "Connected",
    );
    await page.keyboard.press("Control+Shift+C");
    await until(
      "what was selected in the clipboard",
      () => terminal.clipboard(),
      (text) => text === "precious",
    );
    await page.reload();
    assert.equal(await terminal.run("echo still here"), "still here");
  });
}
