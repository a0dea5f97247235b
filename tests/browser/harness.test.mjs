// Tests of the watch over pages: it must notice every kind of fault.

import { assert, pageTest, until } from "./harness.mjs";

/** Does something forbidden in the page, and checks that the watch records it. */
function faultTest(what, wrong, pattern) {
  pageTest(`the watch notes ${what}`, {}, async ({ page, watch }) => {
    assert.deepEqual(watch.faults(), []);
    await page.evaluate(wrong);
    await until(
      "the fault",
      () => watch.faults(),
      (faults) => faults.some((fault) => pattern.test(fault)),
    );
    watch.tolerate(/./);
  });
}

faultTest(
  "a request to another host",
  () => {
    new Image().src = "http://127.0.0.2:1/picture.png";
  },
  /CSP violation: img-src|another host/,
);
faultTest(
  "a script that the page's policy forbids",
  () => {
    try {
      document.createElement("script").textContent = "window.ran = true";
    } catch {
      // The policy makes this throw as well.
    }
  },
  /CSP violation: require-trusted-types-for/,
);
faultTest(
  "a socket to another host",
  () => {
    new WebSocket("ws://127.0.0.2:1/");
  },
  /CSP violation: connect-src/,
);
faultTest("an error in the console", () => console.error("wrong"), /console error: wrong/);
faultTest(
  "an exception",
  () => {
    setTimeout(() => {
      throw new Error("wrong");
    });
  },
  /exception: Error: wrong/,
);
