// The server is killed or replaced under a page.

import { assert, pageTest, until } from "./harness.mjs";

for (const blow of ["kill", "upgrade"]) {
  pageTest(`a page and its programs go on by themselves after a server's ${blow}`, {}, async (world) => {
    const { terminal, page, server } = world;
    await terminal.type("vim -u NONE\n");
    await terminal.shows("VIM - Vi IMproved");
    await terminal.type("ibefore, ");
    for (let round = 1; round <= 3; round++) {
      await server[blow]();
      // What is typed while nobody serves arrives as well, once.
      await terminal.type(`round ${round}, `);
      await terminal.shows(`round ${round},`);
    }
    await terminal.shows(/^before, round 1, round 2, round 3,\n~/);
    await until(
      "the connection to be well",
      () => terminal.status(),
      (word) => word === "Connected",
    );
    assert.equal(await terminal.banner().count(), 0);
    await terminal.press("Escape");
    await terminal.type(":q!\n");
    await terminal.prompt();
    await page.reload();
    assert.equal(await terminal.run("echo still here"), "still here");
  });
}
