// R14: whoever tries numbers learns nothing – no such conference, wrong number, locked, full, thrown out and ended get
// one answer, after the same work – and the box says that somebody tries.
import { DEEP, check, eventually, quantile, test } from '../../e2e/lib/runner.mjs';
import { RawSocket, address, ask, callApi, inviteOf, metrics } from '../lib/raw.mjs';
import { HUITANG_SANITIZED, createConference, startServer } from '../../e2e/lib/server.mjs';
import { Witness, checkHealthy } from '../lib/witness.mjs';

const JOINS = DEEP ? 10_000 : 900;
const JOINS_PER_SOCKET = 15; // a socket's permits last for twenty at once
const WORK = ['huitang_tokens_checked_total', 'huitang_secrets_checked_total', 'huitang_journal_writes_total', 'huitang_journal_failures_total', 'huitang_commands_done_total'];

/** Conferences that let nobody in, each for another reason: name → number. */
async function closedDoors(server) {
  const chairOf = async (conference) => {
    const chair = await RawSocket.hello(server);
    await chair.join(conference.number, 'Chair', { invite: inviteOf(conference.chairLink) });
    return chair;
  };
  const locked = await createConference(server, 'locked');
  await (await chairOf(locked)).command({ setLock: { locked: true } });
  const full = await createConference(server, 'full');
  await chairOf(full);
  for (let i = 0; i < 3; ++i) await (await RawSocket.hello(server)).join(full.number, `Guest ${i}`);
  const ended = await createConference(server, 'ended');
  await (await chairOf(ended)).command({ end: {} });
  const removing = await createConference(server, 'removed');
  const chair = await chairOf(removing);
  const removed = await RawSocket.hello(server);
  const { joined } = await removed.join(removing.number, 'Removed');
  await chair.command({ remove: { participantId: joined.participantId } });
  return { doors: { none: '899999999', malformed: '12', locked: locked.number, full: full.number, ended: ended.number }, removed, removing };
}

/** What must not differ between answers: everything but the number that it replies to. */
function bodyOf(reply) {
  return JSON.stringify({ ...reply, replyTo: 0 });
}

/** The lines in which `measured` (door → {bodies, work, times}) lets a stranger tell doors apart. */
function tellingDifferences(measured) {
  const found = [];
  const [first, ...others] = Object.entries(measured);
  for (const [door, seen] of [first, ...others])
    if (seen.bodies.size !== 1) found.push(`${door}: ${seen.bodies.size} different answers`);
  for (const [door, seen] of others) {
    if ([...seen.bodies][0] !== [...first[1].bodies][0]) found.push(`${door} answers ${[...seen.bodies][0]}, ${first[0]} ${[...first[1].bodies][0]}`);
    for (const counter of WORK)
      if (seen.work[counter] !== first[1].work[counter]) found.push(`${door}: ${seen.work[counter]} more of ${counter}, ${first[0]}: ${first[1].work[counter]}`);
  }
  return found;
}

test('R14: thousands of bogus joins get one answer for the same work, and raise an alarm', async (t) => {
  const server = await startServer(t, { binary: HUITANG_SANITIZED, settings: '[limits]\nparticipants = 4\n' });
  const { doors, removed, removing } = await closedDoors(server);
  const witness = await Witness.start(t, server);

  // Quietly first, one door after the other, so that what each costs can be counted.
  witness.isOver = true;
  await witness.talking;
  const measured = {};
  for (const [door, number] of Object.entries(doors)) {
    const sockets = [];
    for (let i = 0; i < 4; ++i) sockets.push(await RawSocket.hello(server, { from: address(9_000 + i) }));
    const before = await metrics(server);
    const bodies = new Set();
    const times = [];
    for (const socket of sockets)
      for (const invite of ['', 'e1.AAAA.BBBB']) {
        const began = performance.now();
        bodies.add(bodyOf(await socket.join(number, 'x', { invite })));
        times.push(performance.now() - began);
      }
    const after = await metrics(server);
    measured[door] = { bodies, times, work: Object.fromEntries(WORK.map((name) => [name, after[name] - before[name]])) };
    for (const socket of sockets) socket.cut();
  }
  const differences = tellingDifferences(measured);
  check(differences.length === 0, `a stranger can tell: ${differences.join('; ')}`);
  const answer = [...measured.none.bodies][0];
  check(answer.includes('REFUSAL_CODE_NOT_FOUND'), answer);
  check(bodyOf(await removed.join(removing.number, 'Removed')) === answer, 'whoever was removed gets another answer');
  for (const [door, { times, work }] of Object.entries(measured))
    t.note(`${door}: median ${quantile(times, 0.5).toFixed(0)} ms, ${work.huitang_tokens_checked_total} tokens checked, ${work.huitang_journal_writes_total} writes`);

  // The look-up and the page tell no more.
  const looked = new Set();
  for (const number of Object.values(doors)) looked.add(JSON.stringify((({ status, body }) => ({ status, body }))(await callApi(server, 'LookUpConference', { number }))));
  check(looked.size === 1, `look-ups differ: ${[...looked].join(' ')}`);
  const pages = new Set();
  for (const number of Object.values(doors).filter((n) => n.length === 9)) pages.add((await ask(server, 'GET', `/j/${number}`)).body);
  check(pages.size === 1, 'the pages of conferences differ');

  // Then the crowd, from many addresses, over all doors.
  const busy = await Witness.start(t, server);
  const before = await metrics(server);
  const answers = new Map();
  let asked = 0;
  const numbers = Object.values(doors);
  const oneSocket = async (n) => {
    const socket = await RawSocket.hello(server, { from: address(n) });
    for (let i = 0; i < JOINS_PER_SOCKET; ++i) {
      const body = bodyOf(await socket.join(numbers[(n + i) % numbers.length], 'x'));
      answers.set(body, (answers.get(body) ?? 0) + 1);
      ++asked;
    }
    socket.cut();
  };
  const total = Math.ceil(JOINS / JOINS_PER_SOCKET);
  let next = 0;
  await Promise.all(Array.from({ length: 60 }, async () => { while (next < total) await oneSocket(next++); }));
  check(answers.size === 1 && answers.get(answer) === asked, `answers: ${JSON.stringify([...answers])}`);
  const after = await metrics(server);
  check(after.huitang_joins_refused_total - before.huitang_joins_refused_total === asked, 'not every refusal is counted');
  check(after.huitang_tokens_checked_total === before.huitang_tokens_checked_total, 'joins without a token had tokens checked');
  await eventually(async () => (await metrics(server)).huitang_joins_alarm === 1, 'no alarm in the metrics');
  check((await ask(server, 'GET', '/healthz')).body.includes('joins were refused'), 'health says nothing of it');
  check(/many joins are refused/.test(server.child.err), 'the log says nothing of it');
  const { lines, p95 } = await busy.lostNothing();
  checkHealthy(server);
  t.row('R14', `${asked} bogus joins: one answer for six reasons, same tokens, secrets and journal writes; alarm in metrics, log and health; ${lines} lines of others meanwhile, none lost (p95 ${p95.toFixed(0)} ms)`);
}, { timeout: DEEP ? 900_000 : 180_000 });

test('R14: one address that tries numbers is slowed down, whatever it tries', async (t) => {
  const server = await startServer(t, { binary: HUITANG_SANITIZED });
  const codes = [];
  await Promise.all(Array.from({ length: 12 }, async () => {
    const socket = await RawSocket.hello(server);
    for (let i = 0; i < 10; ++i) codes.push((await socket.join('899999998', 'x')).refused?.code);
    socket.cut();
  }));
  check(codes.at(-1) === 'REFUSAL_CODE_TOO_MANY_REQUESTS', `the last of ${codes.length} got ${codes.at(-1)}`);
  check(codes[0] === 'REFUSAL_CODE_NOT_FOUND', codes[0]);
  checkHealthy(server);
});

test('R14, planted fault: a door that answers or costs otherwise is noticed', () => {
  const work = Object.fromEntries(WORK.map((name) => [name, 4]));
  const same = () => ({ bodies: new Set(['no']), work: { ...work } });
  check(tellingDifferences({ none: same(), locked: same() }).length === 0, 'equal doors are told apart');
  check(tellingDifferences({ none: same(), locked: { ...same(), bodies: new Set(['locked']) } }).length > 0, 'another answer goes unnoticed');
  check(tellingDifferences({ none: same(), locked: { ...same(), bodies: new Set(['no', 'maybe']) } }).length > 0, 'two answers go unnoticed');
  check(tellingDifferences({ none: same(), locked: { ...same(), work: { ...work, huitang_journal_writes_total: 5 } } }).length > 0, 'a write more goes unnoticed');
});
