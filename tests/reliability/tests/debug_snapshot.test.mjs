// The administrator's snapshot of both processes: complete, consistent with the meeting, and without what belongs to
// people unless an administrator asks for it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { check, eventually, test } from '../../e2e/lib/runner.mjs';
import { Child, HUITANG, createConference, request, startBot, startServer } from '../../e2e/lib/server.mjs';

test('debug snapshot: the whole tree for the administrator alone, redacted unless revealed', async (t) => {
  const server = await startServer(t);
  const conference = await createConference(server, 'Geheimsache');
  const names = ['Aloysius Abt', 'Berta Beck'];
  const bots = names.map((name, i) => startBot(t, { url: conference.chairLink, name, mark: 221 + i, tone: 500 + 100 * i, args: ['--json'] }));
  for (const bot of bots) await eventually(() => bot.child.out.includes('"event":"mark"'), 'no meeting', { timeout: 30_000 });

  for (const headers of [{}, { authorization: 'Bearer guess' }, { cookie: 'huitang_admin=guess' }]) {
    const refused = await request(server, 'GET', '/api/debug.json?reveal=1', { headers });
    check(refused.status === 401 && !refused.body.includes('sessions'), `answered ${refused.status} to nobody`);
  }

  const flags = ['--data', server.data, '--https-port', String(server.httpsPort), '--public-address', '127.0.0.1'];
  const take = async (...more) => {
    const command = new Child(HUITANG, ['admin', 'snapshot', ...flags, ...more]);
    const { code } = await command.ended;
    check(code === 0, `huitang admin snapshot: ${code} ${command.err}`);
    return command.out;
  };
  const text = await take();
  const token = readFileSync(path.join(server.data, 'local.token'), 'utf8').trim();
  const secrets = { token, invitation: /invite=(.+)$/.exec(conference.chairLink)[1] };
  const private_ = { name: names[0], other: names[1], title: 'Geheimsache', number: conference.number, address: '127.0.0.1' };
  for (const [what, value] of Object.entries({ ...secrets, ...private_ })) check(!text.includes(value), `the ${what} stands in the snapshot`);

  const snapshot = JSON.parse(text);
  check((snapshot.sessions ?? []).length === 2, `${snapshot.sessions?.length} sessions of 2`);
  check((snapshot.sockets ?? []).length === 2, `${snapshot.sockets?.length} sockets of 2`);
  const live = snapshot.conferences.find((c) => c.participants?.length === 2);
  check(live?.held.listeners.length === 2 && live.held.sources.length >= 4, `what the node was told: ${JSON.stringify(live?.held)}`);
  check('huitang_conferences' in snapshot.figures && Number(snapshot.process.resident_bytes) > 0, `figures: ${snapshot.figures.huitang_conferences} ${snapshot.process.resident_bytes}`);
  const node = snapshot.media.snapshot;
  check(node.peers.length === 2 && node.peers.every((p) => p.state === 'PEER_STATE_CONNECTED'), 'peers of the node');
  const showing = node.peers.flatMap((p) => p.slots ?? []).filter((s) => s.showing > 0);
  check(showing.some((s) => s.use === 'LINE_USE_VIDEO_SLOT') && showing.some((s) => s.use === 'LINE_USE_AUDIO_SLOT'), 'slots');
  check(node.source_states.some((s) => s.layers?.some((l) => l.flowing && l.width > 0)), 'layers');
  check(Number(node.health.packets_in) > 0 && node.health.loads.length > 0, 'counters of the node');
  check(snapshot.media.log.peers.some((p) => p.entries?.length > 0), 'log of peers');
  // What serve says of its sessions is what the node says of its peers.
  const peers = node.peers.map((p) => p.peer).sort().join();
  check(snapshot.sessions.map((s) => s.peer).sort().join() === peers, 'sessions and peers differ');

  const revealed = await take('--reveal');
  for (const [what, value] of Object.entries(private_)) check(revealed.includes(value), `the ${what} is not revealed`);
  for (const [what, value] of Object.entries(secrets)) check(!revealed.includes(value), `the ${what} is revealed`);
});
