// A network between page and server that can be cut.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Passes connections on to `upstream`, until the test `t` ends. */
export async function startNetwork(t, upstream) {
  const network = new Network(upstream);
  network.listener.listen(0, "127.0.0.1");
  await once(network.listener, "listening");
  t.after(() => network.end());
  return network;
}

class Network {
  #open = new Set();
  #up = true;

  constructor(upstream) {
    const [host, port] = upstream.split(":");
    this.listener = createServer((near) => {
      if (!this.#up) return near.resetAndDestroy();
      const far = connect(Number(port), host);
      const ends = [near, far];
      for (const end of ends) {
        this.#open.add(end);
        // What breaks on one side breaks on the other.
        end.on("error", () => {});
        end.on("close", () => {
          this.#open.delete(end);
          ends.forEach((other) => other.destroy());
        });
      }
      near.pipe(far).pipe(near);
    });
  }

  get address() {
    return `127.0.0.1:${this.listener.address().port}`;
  }

  /** Cuts every connection, and lets new ones in. */
  cut() {
    for (const end of this.#open) end.resetAndDestroy();
  }

  /** Cuts every connection, and lets none in. */
  goDown() {
    this.#up = false;
    this.cut();
  }

  comeUp() {
    this.#up = true;
  }

  end() {
    this.cut();
    this.listener.close();
  }
}
