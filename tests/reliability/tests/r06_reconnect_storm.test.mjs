// R6: a crowd that loses its server at one moment comes back by itself, spread by chance, into the same places; and
// whoever was not cut off notices nothing of the crowd.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { DEEP, ROOT, check, quantile, sleep, test } from '../../e2e/lib/runner.mjs';
import { HUITANG, createConference, startServer } from '../../e2e/lib/server.mjs';
import { RawSocket, address, metrics } from '../lib/raw.mjs';
import { restart } from '../lib/restart.mjs';
import { Witness, checkHealthy } from '../lib/witness.mjs';

const CLIENTS = DEEP ? 1_000 : 250;
// One address may not make many conferences at once.
const IN_ONE_CONFERENCE = DEEP ? 60 : 25;
/** As long as a session can be resumed the pages are quick (signaling_link.ts). */
const RESUME_WINDOW_MS = 60_000;
const SETTINGS = '[limits]\nconnections = 6000\n';

/** The delays that the pages' own client keeps (web/packages/client/src/backoff.ts), without its types. */
async function pagesRetryDelay() {
  const { transformSync } = createRequire(path.join(ROOT, 'web/package.json'))('esbuild');
  const source = readFileSync(path.join(ROOT, 'web/packages/client/src/backoff.ts'), 'utf8');
  const { code } = transformSync(source, { loader: 'ts', format: 'esm' });
  return (await import(`data:text/javascript,${encodeURIComponent(code)}`)).retryDelay;
}

/** A client that stays in its conference, whatever happens to its sockets. */
class Stayer {
  constructor(server, n, retryDelay) {
    Object.assign(this, { server, n, retryDelay });
    this.from = address(n % 500);
    this.attempts = []; // times at which it tried since the last cut
    this.backAt = 0;
    this.problem = '';
    this.isOver = false;
  }

  async enter(number) {
    this.socket = await RawSocket.hello(this.server, { from: this.from });
    const reply = await this.socket.join(number, `Client ${this.n}`);
    check(reply.joined, `client ${this.n} is not let in: ${JSON.stringify(reply)}`);
    this.participant = reply.joined.participantId;
    this.take(this.socket);
  }

  take(socket) {
    this.socket = socket;
    this.token = socket.welcome.resumeToken;
    socket.onClose = () => void this.comeBack();
  }

  async comeBack() {
    this.backAt = 0;
    this.attempts = [];
    for (const lost = performance.now(); !this.isOver; ) {
      await sleep(this.retryDelay(performance.now() - lost > RESUME_WINDOW_MS, Math.random));
      this.attempts.push(performance.now());
      try {
        const socket = await RawSocket.hello(this.server, { from: this.from, token: this.token });
        if (!socket.welcome) {
          socket.cut();
          continue;
        }
        if (!socket.welcome.resumed) this.problem = 'not resumed: the place was lost';
        const state = socket.messages.find((m) => m.state)?.state ?? (await socket.ask({ resync: {} })).state;
        const mine = state?.participants.filter((p) => p.id === this.participant) ?? [];
        if (mine.length !== 1) this.problem = 'the old place is not there';
        if (state && state.participants.length > IN_ONE_CONFERENCE) this.problem = `${state.participants.length} in a conference of ${IN_ONE_CONFERENCE}: somebody is there twice`;
        this.backAt = performance.now();
        return this.take(socket);
      } catch {
        // Not there yet: later.
      }
    }
  }

  stop() {
    this.isOver = true;
    this.socket?.cut();
  }
}

/** The largest share of all first tries that fell into one 20 ms. */
function largestShare(times) {
  const bins = new Map();
  for (const time of times) bins.set(Math.floor(time / 20), (bins.get(Math.floor(time / 20)) ?? 0) + 1);
  return Math.max(...bins.values()) / times.length;
}

function wrongAbout(stayers, share) {
  const wrong = [];
  const away = stayers.filter((s) => s.backAt === 0);
  if (away.length > 0) wrong.push(`${away.length} of ${stayers.length} are not back`);
  for (const s of stayers.filter((one) => one.problem).slice(0, 3)) wrong.push(`client ${s.n}: ${s.problem}`);
  // Spread over 125 ms at least, a 20 ms slice holds a sixth; in step it holds all.
  if (share > 0.6) wrong.push(`${(share * 100).toFixed(0)} % of the first tries came within 20 ms`);
  return wrong;
}

async function allBack(stayers, since) {
  for (const end = Date.now() + 60_000; stayers.some((s) => s.backAt === 0) && Date.now() < end; ) await sleep(50);
  const share = largestShare(stayers.map((s) => s.attempts[0] ?? 0));
  const wrong = wrongAbout(stayers, share);
  check(wrong.length === 0, wrong.join('; '));
  const times = stayers.map((s) => s.backAt - since);
  return { last: Math.max(...times), median: quantile(times, 0.5), share, tries: Math.max(...stayers.map((s) => s.attempts.length)) };
}

test('R6: a thousand clients that lose their sockets or their server at once are back in their places', async (t) => {
  const server = await startServer(t, { binary: HUITANG, settings: SETTINGS });
  const retryDelay = await pagesRetryDelay();
  const stayers = Array.from({ length: CLIENTS }, (_, n) => new Stayer(server, n, retryDelay));
  t.after(() => stayers.forEach((s) => s.stop()));
  const conferences = [];
  for (let n = 0; n < CLIENTS; n += IN_ONE_CONFERENCE) conferences.push((await createConference(server)).number);
  let next = 0;
  await Promise.all(Array.from({ length: 20 }, async () => {
    while (next < CLIENTS) {
      const n = next++;
      await stayers[n].enter(conferences[Math.floor(n / IN_ONE_CONFERENCE)]);
    }
  }));

  // All sockets cut at one moment, serve living on: the storm meets people who stayed.
  const witness = await Witness.start(t, server);
  await sleep(1_000);
  const before = await metrics(server);
  const cutAt = performance.now();
  for (const s of stayers) {
    s.backAt = 0;
    s.socket.cut();
  }
  const cut = await allBack(stayers, cutAt);
  const { lines, p95 } = await witness.lostNothing();
  const after = await metrics(server);
  check(after.huitang_sessions_resumed_total - before.huitang_sessions_resumed_total >= CLIENTS, 'not all were resumed');
  check(after.huitang_sessions === before.huitang_sessions, `${after.huitang_sessions} sessions, before ${before.huitang_sessions}`);
  t.note(`all sockets cut: median back after ${cut.median.toFixed(0)} ms, last ${cut.last.toFixed(0)} ms; most within 20 ms: ${(cut.share * 100).toFixed(0)} %; others' commands p95 ${p95.toFixed(0)} ms`);

  // serve killed: nobody is there for a while, then all at once.
  for (const s of stayers) s.backAt = 0;
  const { killedAt, readyAt } = await restart(server);
  const killed = await allBack(stayers, killedAt);
  checkHealthy(server);
  t.row('R6', `${CLIENTS} clients: sockets cut, all back after ${(cut.last / 1000).toFixed(1)} s, ${lines} lines of others meanwhile, none lost (p95 ${p95.toFixed(0)} ms); serve killed and back after ${((readyAt - killedAt) / 1000).toFixed(1)} s, all resumed after ${(killed.last / 1000).toFixed(1)} s (median ${(killed.median / 1000).toFixed(1)} s, at most ${killed.tries} tries)`);
}, { timeout: DEEP ? 300_000 : 180_000 });

test('R6, planted fault: clients in step, one that stays away and one that lost its place are noticed', () => {
  const well = () => Array.from({ length: 100 }, (_, n) => ({ n, backAt: 1, problem: '', attempts: [n * 1.25] }));
  check(wrongAbout(well(), largestShare(well().map((s) => s.attempts[0]))).length === 0, 'sees what is not there');
  check(wrongAbout(well(), largestShare(well().map(() => 250))).length === 1, 'clients in step go unnoticed');
  const away = well();
  away[3].backAt = 0;
  check(wrongAbout(away, 0.1).length === 1, 'one that stays away goes unnoticed');
  const lost = well();
  lost[4].problem = 'not resumed';
  check(wrongAbout(lost, 0.1).length === 1, 'a lost place goes unnoticed');
});
