// The instrument itself: a server with a bot in it answers, and a dead one is noticed as dead.
import { check, eventually, test } from '../../e2e/lib/runner.mjs';
import { createConference, request, startBot, startServer } from '../../e2e/lib/server.mjs';

test('instrument: a box with a bot is ready, and a killed one is seen to be gone', async (t) => {
  const server = await startServer(t);
  const conference = await createConference(server);
  const bot = startBot(t, { url: conference.link, name: 'Bot Anton', mark: 201, tone: 500, args: ['--json'] });
  await eventually(() => bot.child.out.includes('joined'), 'the bot does not join', { timeout: 30_000 });
  check((await request(server, 'GET', '/readyz')).status === 200, 'not ready with a bot inside');
  server.child.signal('SIGKILL');
  await server.child.ended;
  const gone = await request(server, 'GET', '/readyz').then(() => false, () => true);
  check(gone, 'a killed server still answers');
});
