// R13 at the media port: spoofed ClientHello, STUN with wrong credentials and random bytes from many addresses cost no
// memory, and the running call loses nothing. (Floods of the HTTPS port have a test of their own.)
import { randomBytes } from 'node:crypto';
import { DEEP, check, sleep, test } from '../../e2e/lib/runner.mjs';
import { startCall } from '../lib/call.mjs';
import { Strangers, freshlyHeardBy, isClientHello, nodeCounters, residentKilobytes, stunRequest, usernameOf } from '../lib/hostile.mjs';

const SECONDS = DEEP ? 180 : 10;
const RATE = DEEP ? 6000 : 3000;

/** What of a measurement the row forbids. */
function problemsOf({ sent, noticed, growth, overflow, packets, lost, answered }) {
  const problems = [];
  if (noticed < sent * 0.3) problems.push(`the node counted ${noticed} of ${sent} datagrams`);
  if (growth >= 2048) problems.push(`the media process grew by ${growth} kB`);
  if (overflow !== 0) problems.push(`the node lost ${overflow} datagrams in its socket`);
  if (packets < SECONDS * 30) problems.push(`the listener got only ${packets} packets meanwhile`);
  if (lost !== 0) problems.push(`the call lost ${lost} packets`);
  if (answered !== 0) problems.push(`${answered} bytes were answered`);
  return problems;
}

test('R13: a flood at the media port costs no memory and no packet of a call', async (t) => {
  const { server, relay, listener } = await startCall(t);
  const strangers = await Strangers.start(t, 200);
  const hello = relay.heard('dtls').find(isClientHello);
  const name = usernameOf(relay.heard('stun')[0]);
  const make = (n) => {
    switch (n % 5) {
      case 0: return hello;
      case 1: return stunRequest(name);
      case 2: return stunRequest(`${randomBytes(3).toString('hex')}:x`, { integrity: n % 2 === 0 });
      case 3: return randomBytes(1 + (n % 1200));
      default: return Buffer.concat([Buffer.from([0x80, 111]), randomBytes(60)]);
    }
  };
  await strangers.flood(server.udpPort, { seconds: 2, rate: RATE, make }); // what is allocated once
  await sleep(1000);
  // What the call itself takes in such a time (instrumented, its allocator gives back late) is not the flood's.
  const calm = residentKilobytes(server);
  await sleep(SECONDS * 1000);
  const memory = residentKilobytes(server);
  const own = Math.max(0, memory - calm);
  const before = await nodeCounters(server);
  const heard = await freshlyHeardBy(listener);
  await strangers.flood(server.udpPort, { seconds: SECONDS, rate: RATE, make });
  const after = await nodeCounters(server);
  const now = await freshlyHeardBy(listener);
  const measured = {
    sent: strangers.sent,
    noticed: after.unattributed - before.unattributed,
    growth: residentKilobytes(server) - memory - own,
    overflow: after.receive_overflow - before.receive_overflow,
    packets: now.packets - heard.packets,
    lost: now.lost - heard.lost + now.faults - heard.faults,
    answered: strangers.heardBytes,
  };
  check(problemsOf(measured).length === 0, problemsOf(measured).join('; '));
  // Planted faults: a node that keeps a table of strangers, drops, forgets a packet of the call, or answers.
  for (const fault of [{ growth: measured.sent * 0.4 }, { overflow: 1 }, { lost: 1 }, { packets: 0 }, { answered: 40 }, { noticed: 0 }])
    check(problemsOf({ ...measured, ...fault }).length === 1, `${JSON.stringify(fault)} goes unnoticed`);
  t.row('R13', `${strangers.sent} datagrams from ${strangers.sockets.length} addresses at up to ${RATE}/s: grew ${measured.growth} kB more than the call alone (${own} kB), call lost 0 of ${measured.packets} packets, 0 bytes answered`);
}, { timeout: DEEP ? 600_000 : 180_000 });
