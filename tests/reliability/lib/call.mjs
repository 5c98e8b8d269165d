// A call of two bots through the sanitized node; one of them behind a relay that hears it.
import { eventually } from '../../e2e/lib/runner.mjs';
import { HUITANG_SANITIZED, createConference, startBot, startServer } from '../../e2e/lib/server.mjs';
import { Relay, heardBy } from './hostile.mjs';

/** Memory given back stays out of use for a while under the address sanitizer; here it may not count as growth. */
const SANITIZER = { ASAN_OPTIONS: 'quarantine_size_mb=1:thread_local_quarantine_size_kb=16' };

/** A box with one sanitized media worker. The load limit is that of a test: an instrumented build is slow. */
export function startSanitized(t, settings = 'workers = 1\nload_limit_percent = 100') {
  return startServer(t, { binary: HUITANG_SANITIZED, settings: `[media]\n${settings}\n`, env: SANITIZER });
}

export function eventsOf(bot, event) {
  return bot.child.out.split('\n').filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line));
}

/** {server, conference, relay, speaker, listener}: the listener, who sends nothing, has the speaker, who is behind the relay. */
export async function startCall(t) {
  const server = await startSanitized(t);
  const conference = await createConference(server);
  const relay = await Relay.start(t, server.udpPort);
  const speaker = startBot(t, {
    url: conference.link, name: 'Bot Anton', mark: 201, tone: 500, args: ['--json', '--via', String(relay.port)],
  });
  const listener = startBot(t, { url: conference.link, name: 'Bot Berta', mark: 202, tone: 900, args: ['--json', '--receive-only'] });
  await eventually(() => heardBy(listener).frames > 5, 'the listener sees nothing', { timeout: 60_000 });
  return { server, conference, relay, speaker, listener };
}
