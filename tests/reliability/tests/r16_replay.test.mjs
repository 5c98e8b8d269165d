// R16: SRTP and SRTCP of a running call, repeated and forged from the very address of their sender, is forwarded to
// nobody and changes nothing.
import { DEEP, check, eventually, sleep, test } from '../../e2e/lib/runner.mjs';
import { startCall } from '../lib/call.mjs';
import { changedBetween, forge, freshlyHeardBy, heardBy, nodeCounters } from '../lib/hostile.mjs';

// What authentic media would move; nobody but the speaker sends any.
const UNMOVED = ['media_in', 'media_out', 'rtx_out', 'switches', 'nacks_in', 'key_frame_asks', 'malformed_rtcp', 'unbound_media', 'dropped_malformed'];

/** Sends `datagrams` from the speaker's address while he himself is silent; what that moved. */
async function moved(call, datagrams) {
  const { server, relay, listener } = call;
  relay.holds = true;
  await sleep(1500); // what was on its way has arrived
  const before = await nodeCounters(server);
  const heard = await freshlyHeardBy(listener);
  for (let i = 0; i < datagrams.length; ++i) {
    relay.inject(datagrams[i]);
    if (i % 20 === 19) await sleep(10); // 2,000 a second
  }
  const after = await nodeCounters(server);
  const now = await freshlyHeardBy(listener);
  const harm = changedBetween(before, after, UNMOVED);
  // The listener hears the speaker alone, and hears nobody now.
  if (now.packets > heard.packets) harm.push(`the listener got ${now.packets - heard.packets} packets`);
  relay.holds = false;
  return { harm, refused: after.not_authentic - before.not_authentic + after.malformed_rtp - before.malformed_rtp };
}

test('R16: replayed and forged SRTP and SRTCP moves nothing', async (t) => {
  const call = await startCall(t);
  const { relay, listener } = call;
  await eventually(() => relay.heard('rtp').length > 400 && relay.heard('rtcp').length > 3, 'the relay hears no media', { timeout: 30_000 });
  const tape = relay.heard('rtp', 'rtcp').slice(0, 5000);

  const replay = await moved(call, tape);
  check(replay.harm.length === 0, `replayed: ${replay.harm.join(', ')}`);
  check(replay.refused >= tape.length * 0.95, `only ${replay.refused} of ${tape.length} were seen to be refused`);

  const count = DEEP ? 200_000 : 6000;
  const forgeries = Array.from({ length: count }, (_, i) => forge(tape[i % tape.length], i));
  const forged = await moved(call, forgeries);
  check(forged.harm.length === 0, `forged: ${forged.harm.join(', ')}`);
  check(forged.refused >= count * 0.7, `only ${forged.refused} of ${count} were seen to be refused`);

  const before = heardBy(listener);
  await eventually(() => heardBy(listener).frames > before.frames + 20, 'the call does not go on', { timeout: 30_000 });

  // Planted fault: packets that the node has not had, as one that forgot its replay window would take old ones.
  relay.holds = true;
  const mark = relay.tape.length;
  await eventually(() => relay.tape.length > mark + 300, 'no fresh media');
  const planted = await moved(call, relay.tape.slice(mark));
  check(planted.harm.length > 0, 'media that the node does take went unnoticed');
  t.row('R16', `${tape.length} replayed, ${count} forged from the sender's own address: nothing forwarded, no counter of media moved; planted fresh media was noticed`);
}, { timeout: DEEP ? 900_000 : 180_000 });
