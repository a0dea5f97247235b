// Several viewers of one terminal.

export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const LAPTOP = { viewport: { width: 1000, height: 700 } };

/** Opens another window on the same server. */
export async function openViewer(world, options, link = world.link) {
  const { terminal, ...rest } = await world.window(options);
  await terminal.open(link);
  return { terminal, page: terminal.page, chip: terminal.page.locator(".size-note"), ...rest };
}

/** Returns the size of the oldest session's terminal. */
export async function terminalSize(server) {
  const [{ cols, rows }] = await server.sessions();
  return `${cols} × ${rows}`;
}

/** Returns the link that invites a guest with this role. */
export async function invitation(world, role) {
  const [{ id }] = await world.server.sessions();
  const passes = await world.server.api("GET", `api/sessions/${id}/passes`);
  const link = new URL("/", world.link);
  link.hash = `#token=${passes.find((pass) => pass.role === role).token}`;
  return link;
}
