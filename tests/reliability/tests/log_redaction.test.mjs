// What belongs to people does not stand in the logs: names, titles, what they write, tokens, addresses. A whole meeting
// at the most talkative level that a caretaker may set, then both processes' logs are searched.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { check, eventually, test } from '../../e2e/lib/runner.mjs';
import { createConference, request, startBot, startServer } from '../../e2e/lib/server.mjs';

/** The first secret that stands in the text, by its name; undefined when none does. */
export function leaked(text, secrets) {
  return Object.entries(secrets).find(([, secret]) => text.includes(secret))?.[0];
}

test('log redaction: a leak would be found', async () => {
  check(leaked('info joined name=张三丰', { name: '张三丰' }) === 'name', 'a planted name is not found');
  check(leaked('info joined name=#5f1a09c2', { name: '张三丰' }) === undefined, 'a hash is taken for the name');
});

test('log redaction: no name, title, token or address of a meeting stands in either log', async (t) => {
  const server = await startServer(t, { settings: '[log]\nlevel = "trace"\n' });
  const secrets = { name: '张三丰 Geheimrat', title: 'Ueberraschungsfeier', 'wrong admin token': 'falsches-kennwort-123456' };
  const conference = await createConference(server, secrets.title);
  secrets['chair token'] = /invite=(.+)$/.exec(conference.chairLink)[1];
  secrets['local token'] = readFileSync(path.join(server.data, 'local.token'), 'utf8').trim();
  const bots = [
    startBot(t, { url: conference.chairLink, name: secrets.name, mark: 211, tone: 500, args: ['--json'] }),
    startBot(t, { url: conference.link, name: `${secrets.name} 2`, mark: 212, tone: 700, args: ['--json'] }),
  ];
  for (const bot of bots) await eventually(() => bot.child.out.includes('"event":"mark"'), 'no meeting', { timeout: 30_000 });
  // Wrong tries are logged, too, and must not be logged with what was tried.
  await request(server, 'POST', '/api/admin-session', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: secrets['wrong admin token'] }),
  });
  const admin = await request(server, 'GET', '/api/debug.json', { headers: { authorization: `Bearer ${secrets['local token']}` } });
  check(admin.status === 200, `debug.json: ${admin.status}`);
  await bots[1].child.stop();
  await bots[0].child.stop();
  await server.child.stop();
  const media = readFileSync(path.join(server.data, 'media.log'), 'utf8');
  check(media.length > 0 && server.child.err.includes('conference created'), 'there are no logs to look at');
  // The link that is shown once, at the first start, to whoever starts serve by hand, is no line of the log.
  const serve = server.child.err.split('\n').filter((line) => /^\d{4}-\d\d-\d\dT/.test(line)).join('\n');
  t.onFailure(async (folder) => writeFileSync(path.join(folder, 'searched.log'), `${serve}\n${media}`));
  for (const [name, log] of Object.entries({ serve, media })) {
    const found = leaked(log, secrets);
    check(found === undefined, `the ${found} stands in the log of ${name}`);
    // Clients come from loopback here, as the node's own addresses are, which its ready line may name.
    const lines = log.split('\n').filter((line) => /127\.0\.0\.1:\d+|::1\]:\d+/.test(line) && !line.includes('media process ready'));
    check(lines.length === 0, `an address stands in the log of ${name}: ${lines[0]}`);
  }
  t.note(`${serve.split('\n').length} lines of serve and ${media.split('\n').length} of media searched`);
});
