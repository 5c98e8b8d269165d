// R15: tokens that are not quite right – bent, cut, swapped, of another kind, box or session, spent – are good for
// nothing, break nothing, and each is on record.
import crypto from 'node:crypto';
import { DEEP, check, eventually, test } from '../../e2e/lib/runner.mjs';
import { RawSocket, address, ask, callApi, inviteOf, metrics } from '../lib/raw.mjs';
import { HUITANG, HUITANG_SANITIZED, createConference, startServer } from '../../e2e/lib/server.mjs';
import { preload } from '../lib/preload.mjs';
import { restart } from '../lib/restart.mjs';
import { Witness, checkHealthy } from '../lib/witness.mjs';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Another letter for the one at `i`: by a lower bit of its value, or something foreign. */
function bent(text, i, bit) {
  const value = ALPHABET.indexOf(text[i]);
  const other = value < 0 ? '~' : ALPHABET[value ^ (1 << bit)];
  return text.slice(0, i) + other + text.slice(i + 1);
}

/** The token's claims with some bytes other, signed by a key that is not the box's. */
function forged(token, change) {
  const claims = Buffer.from(token.split('.')[1], 'base64url');
  const body = Buffer.from(change(claims)).toString('base64url');
  const { privateKey } = crypto.generateKeyPairSync('ed25519');
  const signature = crypto.sign(null, Buffer.from(`huitang.token.e1.${body}`), privateKey).toString('base64url');
  return `e1.${body}.${signature}`;
}

/** name → token that must not be good for what `token` is good for. `others` are good tokens of other kinds and owners. */
function mutants(token, others) {
  const found = new Map();
  const add = (name, text) => text !== token && found.set(name, text);
  for (let i = 0; i < token.length; ++i) add(`letter ${i} bent`, bent(token, i, i % 6));
  for (let i = 0; i < token.length; i += DEEP ? 1 : 3) add(`cut after ${i}`, token.slice(0, i));
  for (let i = 1; i < token.length; i += DEEP ? 1 : 7) add(`without the first ${i}`, token.slice(i));
  const [prefix, body, signature] = token.split('.');
  for (const [name, other] of Object.entries(others)) {
    const [, otherBody, otherSignature] = other.split('.');
    add(`${name} instead`, other);
    add(`claims of ${name}`, `${prefix}.${otherBody}.${signature}`);
    add(`signature of ${name}`, `${prefix}.${body}.${otherSignature}`);
  }
  for (const algorithm of ['e0', 'e2', 'E1', 'none', 'hs256', '', 'e1 ', 'e1.e1']) add(`algorithm "${algorithm}"`, `${algorithm}.${body}.${signature}`);
  add('no signature', `${prefix}.${body}.`);
  add('no signature, no dot', `${prefix}.${body}`);
  add('no claims', `${prefix}..${signature}`);
  add('parts exchanged', `${prefix}.${signature}.${body}`);
  for (const pad of ['=', '==', '%3D', '\u0000', '\n', ' ', '\u00a0', 'A', 'AAAA']) {
    add(`signature padded with ${JSON.stringify(pad)}`, token + pad);
    add(`claims padded with ${JSON.stringify(pad)}`, `${prefix}.${body}${pad}.${signature}`);
    add(`${JSON.stringify(pad)} in front`, pad + token);
  }
  add('in upper case', token.toUpperCase());
  add('standard base64', `${prefix}.${Buffer.from(body, 'base64url').toString('base64')}.${Buffer.from(signature, 'base64url').toString('base64')}`);
  add('twice', token + token);
  for (const size of [1_025, 10_000, 300_000]) add(`${size} letters`, token.padEnd(size, 'A'));
  add('zero signature', `${prefix}.${body}.${Buffer.alloc(64).toString('base64url')}`);
  // The order of the group added to S: the same signature in other bytes where a verifier is lax (RFC 8032, 5.1.7).
  const bytes = Buffer.from(signature, 'base64url');
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
  const lax = Buffer.from(bytes);
  for (let i = 32; i < 64; ++i, s >>= 8n) lax[i] = Number(s & 255n);
  add('signature plus the order of the group', `${prefix}.${body}.${lax.toString('base64url')}`);
  add('of another box', forged(token, (claims) => claims));
  const later = (offset) => (claims) => (claims.writeBigUInt64BE(claims.readBigUInt64BE(offset) + 10n ** 12n, offset), claims);
  for (const [name, change] of Object.entries({
    'audience chair': (claims) => ((claims[0] = 2), claims),
    'audience admin': (claims) => ((claims[0] = 3), claims),
    'audience none': (claims) => ((claims[0] = 0), claims),
    'session longer than there is': (claims) => ((claims[1] = 255), claims),
    'longer by a byte': (claims) => Buffer.concat([claims, Buffer.from([0])]),
    'shorter by a byte': (claims) => claims.subarray(0, -1),
    'expires later': (claims) => later(claims.length - 13 - 8)(claims),
    empty: () => Buffer.alloc(0),
  })) {
    add(`forged: ${name}`, forged(token, change));
    const claims = Buffer.from(body, 'base64url');
    add(`changed: ${name}`, `${prefix}.${Buffer.from(change(claims)).toString('base64url')}.${signature}`);
  }
  return found;
}

/** Runs `one` over all entries, some at a time. */
async function forAll(entries, one, width = 12) {
  const left = [...entries];
  await Promise.all(Array.from({ length: width }, async () => {
    for (let next = left.shift(); next; next = left.shift()) await one(...next);
  }));
}

/** Which of the mutants a box with `isGood` took. */
async function taken(entries, isGood) {
  const found = [];
  await forAll(entries, async (name, text) => {
    if (await isGood(text, name)) found.push(name);
  });
  return found;
}

test('R15: hundreds of mutants of resume, chair and admin tokens are refused, each on record, none with an error of ours', async (t) => {
  const server = await startServer(t, { binary: HUITANG_SANITIZED });
  const witness = await Witness.start(t, server);
  const conference = await createConference(server, 'one');
  const other = await createConference(server, 'other');
  const owner = await RawSocket.hello(server);
  await owner.join(conference.number, 'Owner');
  const token = owner.welcome.resumeToken;
  const neighbour = await RawSocket.hello(server);
  const chairToken = inviteOf(conference.chairLink);
  let n = 0;
  let serverErrors = 0;

  const resumes = mutants(token, { 'a chair token': chairToken, "another box's": forged(token, (claims) => claims) });
  const before = await metrics(server);
  const resumed = await taken(resumes, async (text) => {
    const socket = await RawSocket.hello(server, { token: text, from: address(n++) });
    const { welcome, refused } = socket.helloReply;
    if (!welcome || refused?.code === 'REFUSAL_CODE_INTERNAL') ++serverErrors;
    socket.cut();
    return welcome?.resumed === true;
  });
  check(resumed.length === 0, `good for a resume: ${resumed.join('; ')}`);
  check(serverErrors === 0, `${serverErrors} resumes were answered without a welcome`);
  const between = await metrics(server);
  // An empty one asks for no resume at all.
  const counted = between.huitang_resumes_refused_total - before.huitang_resumes_refused_total;
  const asked = [...resumes.values()].filter((text) => text !== '').length;
  check(counted === asked, `${counted} of ${asked} refused resumes are on record`);
  check(/token refused audit=resume/.test(server.child.err), 'no line in the log about refused tokens');

  const chairs = mutants(chairToken, { 'a resume token': neighbour.welcome.resumeToken, "another conference's": inviteOf(other.chairLink) });
  const roles = await taken(chairs, async (text) => {
    const socket = await RawSocket.hello(server, { from: address(n++) });
    const reply = await socket.join(conference.number, 'Guest', { invite: text });
    const me = reply.joined?.state.participants.find((p) => p.id === reply.joined.participantId);
    if (!reply.joined && reply.refused?.code === 'REFUSAL_CODE_INTERNAL') ++serverErrors;
    await socket.command({ leave: {} });
    socket.cut();
    return me?.role === 'ROLE_CHAIR' || me?.role === 'ROLE_CO_CHAIR';
  });
  check(roles.length === 0, `good for the chair: ${roles.join('; ')}`);
  const after = await metrics(server);
  const invites = after.huitang_invites_refused_total - between.huitang_invites_refused_total;
  const offered = [...chairs.values()].filter((text) => text !== '').length;
  check(invites === offered, `${invites} of ${offered} refused invitations are on record`);
  check(serverErrors === 0, `${serverErrors} joins ended in an error of ours`);
  check(!owner.closed, 'the owner lost his socket to a mutant of his token');
  const { lines } = await witness.lostNothing();
  checkHealthy(server);
  t.row('R15', `${resumes.size} resume and ${chairs.size} chair mutants refused and counted one by one; ${lines} lines of others meanwhile, none lost`);
}, { timeout: DEEP ? 600_000 : 180_000 });

test('R15: admin secrets and cookies that are not right open nothing, and trying is limited', async (t) => {
  const server = await startServer(t, { binary: HUITANG_SANITIZED, demo: false });
  const secret = /admin-link#([\w-]+)/.exec(server.child.out + server.child.err)?.[1];
  check(secret, 'the first start shows no admin link');
  let n = 0;
  const mayCreate = async (headers) => {
    const { status, body } = await callApi(server, 'CreateConference', {}, { headers, from: address(n++) });
    check(status < 500, `${status} ${body}`);
    return status === 200;
  };
  const opened = await callSession(server, JSON.stringify({ token: secret }), address(n++));
  check(opened.status === 204, `the right secret: ${opened.status}`);
  const cookie = opened.headers['set-cookie'][0];
  for (const part of ['__Host-', 'HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/']) check(cookie.includes(part), `the cookie has no ${part}: ${cookie}`);
  check(!/Domain/i.test(cookie), cookie);
  const [name, value] = cookie.split(';')[0].split(/=(.*)/s);
  check(await mayCreate({ cookie: `${name}=${value}` }), 'the right cookie is refused');
  check(await mayCreate({ authorization: `Bearer ${secret}` }), 'the right secret is refused');

  const sendable = (text) => /^[\x21-\x7e]*$/.test(text) && text.length < 12_000 && !text.includes(';');
  const cookies = [...mutants(value, { 'the secret': `e1.${secret}.${secret}` })].filter(([, text]) => sendable(text));
  const before = await metrics(server);
  const good = await taken(cookies, (text) => mayCreate({ cookie: `${name}=${text}` }));
  check(good.length === 0, `cookies that open: ${good.join('; ')}`);
  const after = await metrics(server);
  const counted = after.huitang_admins_refused_total - before.huitang_admins_refused_total;
  const asked = cookies.filter(([, text]) => text !== '').length;
  check(counted >= asked, `${counted} of ${asked} refused cookies are on record`);
  const bearers = [];
  for (let i = 0; i <= secret.length; ++i) bearers.push([`bearer ${i}`, i === secret.length ? `${secret}A` : bent(secret, i, i % 6)]);
  for (const text of ['', ' ', '*', secret.slice(1), secret.slice(0, -1), secret.toUpperCase(), `${secret} ${secret}`, value]) bearers.push([`bearer ${text.slice(0, 4)}`, text]);
  const open = await taken(bearers, (text) => text !== secret && mayCreate({ authorization: `Bearer ${text}` }));
  check(open.length === 0, `secrets that open: ${open.join('; ')}`);

  // A page elsewhere acts with the visitor's cookie in vain.
  const foreign = { cookie: `${name}=${value}`, origin: 'https://evil.example' };
  check(!(await mayCreate(foreign)), 'a page elsewhere can create with the visitor\'s cookie');
  check(!(await mayCreate({ ...foreign, origin: 'null' })), 'a page without origin can create with the cookie');
  for (const [body, headers, status] of [
    [JSON.stringify({ token: secret }), { origin: 'https://evil.example' }, 400],
    [`token=${secret}`, { 'content-type': 'application/x-www-form-urlencoded' }, 400],
    [JSON.stringify({ token: secret }), { 'content-type': 'text/plain' }, 400],
    ['[[[[', {}, 400],
    [JSON.stringify({ token: { token: secret } }), {}, 401],
  ]) {
    const reply = await callSession(server, body, address(n++), headers);
    check(reply.status === status && !reply.headers['set-cookie'], `${body.slice(0, 30)} ${JSON.stringify(headers)}: ${reply.status}`);
  }

  // Trying from one address ends soon, even with the right one; others are not touched, and no header lies about it.
  const statuses = [];
  for (let i = 0; i < 14; ++i) {
    const headers = { 'x-forwarded-for': `10.0.0.${i}`, forwarded: `for=10.0.0.${i}`, 'x-real-ip': `10.0.0.${i}` };
    statuses.push((await callSession(server, JSON.stringify({ token: `guess ${i}` }), '127.250.1.1', headers)).status);
  }
  check(statuses.every((s) => s === 401), statuses.join());
  check((await callSession(server, JSON.stringify({ token: secret }), '127.250.1.1')).status === 401, 'an address that guessed ten times may go on');
  check((await callSession(server, JSON.stringify({ token: secret }), '127.250.1.2')).status === 204, 'another address suffers for it');
  checkHealthy(server);
  t.row('R15', `${cookies.length} admin cookies, ${bearers.length} bearer secrets refused and counted; guessing from one address ends after ten`);
}, { timeout: 180_000 });

function callSession(server, body, from, headers = {}) {
  return ask(server, 'POST', '/api/admin-session', { from, headers: { 'content-type': 'application/json', ...headers }, body });
}

test('R15: a spent resume token stays spent, also after serve was killed', async (t) => {
  const server = await startServer(t, { binary: HUITANG_SANITIZED });
  const conference = await createConference(server);
  const first = await RawSocket.hello(server);
  const joined = await first.join(conference.number, 'Owner');
  first.cut();
  const second = await RawSocket.hello(server, { token: first.welcome.resumeToken });
  check(second.welcome.resumed, 'a fresh token is refused');
  const spent = [first.welcome.resumeToken];
  const isGood = async (token) => {
    const socket = await RawSocket.hello(server, { token, from: address(77) });
    socket.cut();
    return socket.welcome.resumed;
  };
  // It is spent once its successor is known to have arrived.
  await second.ask({ ping: { at: '1' } });
  check(!(await isGood(spent[0])), 'a spent token is good again');
  // Something that waits for the disk behind it: then the newest token is known to be on disk.
  await second.command({ setHand: { up: true } });
  second.cut();
  await restart(server);
  check(!(await isGood(spent[0])), 'a spent token is good again after a restart');
  const third = await RawSocket.hello(server, { token: second.welcome.resumeToken });
  check(third.welcome.resumed, 'the newest token is refused after a restart');
  await third.ask({ ping: { at: '1' } });
  const state = third.messages.find((m) => m.state)?.state ?? (await third.ask({ resync: {} })).state;
  check(state?.participants.some((p) => p.id === joined.joined.participantId), 'the place is not the same');
  check(!(await isGood(second.welcome.resumeToken)), 'the token used after the restart is good twice');
  checkHealthy(server);
  t.row('R15', 'spent resume tokens refused before and after kill -9 of serve');
});

const HOURS = 3_600;

test('R15: resume tokens after a day and chair links after a month are refused, counted and on record', async (t) => {
  const clock = preload(t);
  const server = await startServer(t, { binary: HUITANG, env: clock.env });
  const conference = await createConference(server);
  const owner = await RawSocket.hello(server);
  await owner.join(conference.number, 'Owner');
  const counts = async () => {
    const { huitang_resumes_refused_total: resumes, huitang_invites_refused_total: invites } = await metrics(server);
    return { resumes, invites };
  };
  const chairToken = inviteOf(conference.chairLink);
  const joinAsChair = async () => {
    const socket = await RawSocket.hello(server);
    const { joined, refused } = await socket.join(conference.number, 'Guest', { invite: chairToken });
    check(joined, `the join itself is refused: ${JSON.stringify(refused)}`);
    const { role } = joined.state.participants.find((p) => p.id === joined.participantId);
    await socket.command({ leave: {} });
    socket.cut();
    return role === 'ROLE_CHAIR' || role === 'ROLE_CO_CHAIR';
  };
  // Good to the last minute, so that what is refused after it is refused for its age.
  let token = (await RawSocket.hello(server)).welcome.resumeToken;
  const resume = async () => {
    const socket = await RawSocket.hello(server, { token });
    if (socket.welcome.resumed) await socket.ask({ ping: { at: '1' } });
    const good = socket.welcome.resumed;
    const used = token;
    token = socket.welcome.resumeToken;
    socket.cut();
    return { good, used };
  };
  check((await resume()).good, 'a fresh resume token is refused');
  check(await joinAsChair(), 'a fresh chair link is no good');
  clock.step(24 * HOURS - 60);
  check((await resume()).good, 'a resume token is refused before its day is over');
  const before = await counts();
  clock.step(48 * HOURS); // a day and a minute after the token of that resume
  check(!(await resume()).good, 'a resume token is good after a day');
  const day = await counts();
  check(day.resumes === before.resumes + 1, `${day.resumes - before.resumes} refused resumes are counted`);
  await eventually(() => /token refused audit=resume .*time/.test(server.child.err), 'the expired resume token is not on record');
  check(await joinAsChair(), 'a chair link is no good after two days');
  check((await resume()).good, 'the new session of who came with an expired token cannot be resumed');

  clock.step(30 * 24 * HOURS - 60);
  check(await joinAsChair(), 'a chair link is refused before its month is over');
  const late = await counts();
  clock.step(30 * 24 * HOURS + 60);
  check(!(await joinAsChair()), 'a chair link is good after a month');
  const month = await counts();
  check(month.invites === late.invites + 1, `${month.invites - late.invites} refused chair links are counted`);
  await eventually(() => /token refused audit=chair .*time/.test(server.child.err), 'the expired chair link is not on record');
  check(!owner.closed, 'the clock has thrown out who was in');
  checkHealthy(server);
  t.row('R15', 'resume token good at 24 h less a minute and refused after it, chair link likewise at 30 days; both counted and logged, nobody inside noticed');
}, { timeout: 120_000 });

test('R15, planted fault: a box that takes one mutant is noticed', async () => {
  const token = `e1.${'A'.repeat(80)}.${'B'.repeat(86)}`;
  const all = mutants(token, {});
  check(all.size >= 200, `only ${all.size} mutants`);
  const planted = [...all.values()][17];
  const found = await taken(all, async (text) => text === planted);
  check(found.length === 1, `found ${found.length}`);
  check((await taken(all, async () => false)).length === 0, 'finds mutants where there are none');
});
