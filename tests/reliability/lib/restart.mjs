// Kills serve as a crash would, and starts it again over the same data and ports.
import { restartServer } from '../../e2e/lib/server.mjs';

/** When it was killed and when it was ready again, in ms of performance.now(). */
export async function restart(server) {
  server.child.signal('SIGKILL');
  await server.child.ended;
  const killedAt = performance.now();
  await restartServer(server);
  return { killedAt, readyAt: performance.now() };
}
