// The media process of a running meeting is replaced while one listens: the sound goes on without a gap or a jump of
// 20 ms, no browser makes another connection or negotiates, and its counters go on. On a machine that is too busy for
// its browsers the sound jumps by itself; what an untouched stretch shows is measured first and allowed for.
import { openPage } from '../lib/participant.mjs';
import { MediaControl } from '../lib/media_control.mjs';
import { check, DEEP, eventually, sleep, test } from '../lib/runner.mjs';
import { createConference, startBot, startServer } from '../lib/server.mjs';

const BOTS = [
  { name: 'Bot Anton', mark: 201, tone: 500 },
  { name: 'Bot Berta', mark: 202, tone: 640 },
];
const ROUNDS = DEEP ? 10 : 3;

/** Sums over all incoming streams of a page, and what its only transport is. */
function statistics(person) {
  return person.page.evaluate(async () => {
    const sum = { packetsReceived: 0, packetsLost: 0, bytesReceived: 0, framesDecoded: 0, states: [] };
    for (const peer of e2e.peers) {
      sum.states.push(`${peer.connectionState}/${peer.iceConnectionState}`);
      for (const report of (await peer.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        for (const name of ['packetsReceived', 'packetsLost', 'bytesReceived', 'framesDecoded']) sum[name] += report[name] ?? 0;
      }
    }
    return sum;
  });
}

async function handOver(server) {
  const control = await MediaControl.connect(`${server.data}/media.sock`);
  const done = await control.handOver();
  control.close();
  check(done.refusal === undefined, `no hand-over: ${done.refusal}`);
  return done;
}

for (const [speaks, listens] of [['chromium', 'firefox'], ['firefox', 'chromium']]) {
  test(`handover: ${listens} hears ${speaks} without a gap or jump while the media process is replaced`, async (t) => {
    const server = await startServer(t);
    const conference = await createConference(server);
    const link = `${server.url}/j/${conference.number}`;
    BOTS.forEach((bot) => startBot(t, { url: link, ...bot }));
    const speaker = await openPage(t, speaks, { mark: 31, tone: 820, sweep: true });
    const listener = await openPage(t, listens, { mark: 32, tone: 900 });
    await speaker.join(conference.chairLink ?? link, 'Speaker');
    await listener.join(link, 'Listener');
    await listener.sees([31, 201, 202], 40_000);
    await speaker.sees([32, 201, 202], 40_000);
    await listener.hears(BOTS.map((bot) => bot.tone), 40_000);
    await sleep(4000);  // the jitter buffer has found its length
    const smooth = await listener.listen(4);
    const before = { counters: await listener.counters(), speaker: await speaker.counters(), statistics: await statistics(listener) };

    const began = Date.now();
    const listening = await listener.startListening();
    const stills = [];
    let pid;
    const moments = [];  // seconds since the recording began
    let packets = before.statistics.packetsReceived;
    for (let round = 0; round < ROUNDS; ++round) {
      await sleep(2000);
      const { frozenMs, peers, ...successor } = await handOver(server);
      pid = successor.pid;
      check(peers === 4, `${peers} peers were taken along, not 4`);
      stills.push(frozenMs);
      moments.push((Date.now() - began) / 1000);
      await sleep(1500);
      const { packetsReceived, states } = await statistics(listener);
      check(packetsReceived > packets, `packetsReceived went from ${packets} to ${packetsReceived}`);
      check(states.every((state) => state.startsWith('connected/')), `the connection is ${states}`);
      packets = packetsReceived;
    }
    const heard = await listening.stop();
    const after = await statistics(listener);
    const lost = after.packetsLost - before.statistics.packetsLost;
    const words = (h) => `gap ${h.longestGapMs.toFixed(0)} ms, jump ${h.largestJumpMs.toFixed(0)} ms, concealed ${h.concealedMs.toFixed(0)} ms`;
    t.row('R21', `${listens} listening to ${speaks}, ${ROUNDS} hand-overs: ${words(heard)} in ${heard.seconds.toFixed(0)} s (untouched: `
      + `${words(smooth)}), ${lost} packets lost, still for at most ${Math.max(...stills).toFixed(1)} ms`);
    check(heard.missedMs === 0, `the recorder missed ${heard.missedMs} ms`);
    const beyond = (limit) => [...heard.gaps, ...heard.jumps]
      .filter(({ at, ms }) => Math.abs(ms) > limit && moments.some((moment) => at > moment - 1 && at < moment + 1.5));
    const noiseOf = ({ longestGapMs, largestJumpMs }) => Math.max(longestGapMs, largestJumpMs);
    let noise = noiseOf(smooth);
    if (beyond(20).length > 0) noise = Math.max(noise, noiseOf(await listener.listen(8)));
    const found = beyond(noise > 20 ? 20 + noise : 20);
    check(found.length === 0, `gaps or jumps around the hand-overs at ${moments} (untouched ${noise.toFixed(0)} ms): ${JSON.stringify(found)}`);
    check(after.framesDecoded > before.statistics.framesDecoded, 'pictures stopped');
    for (const [person, then] of [[listener, before.counters], [speaker, before.speaker]]) {
      const now = await person.counters();
      for (const name of ['peerConnections', 'createOffer', 'setLocalDescription', 'setRemoteDescription'])
        check(now[name] === then[name], `${person.kind}: ${name} ${then[name]} -> ${now[name]}`);
    }
    // What only the new process can do: somebody comes, somebody is muted by himself.
    const third = startBot(t, { url: link, name: 'Bot Carla', mark: 203, tone: 760 });
    await eventually(() => !third.child.hasEnded, 'the bot ended');
    await listener.sees([203], 40_000);
    await speaker.sees([203], 40_000);

    // The planted fault: a media process that stands still for long is heard.
    const disturbed = await listener.startListening();
    await sleep(1500);
    process.kill(pid, 'SIGSTOP');
    await sleep(500);
    process.kill(pid, 'SIGCONT');
    await sleep(1500);
    const fault = await disturbed.stop();
    t.note(`standing still for 500 ms: ${words(fault)}`);
    check(fault.longestGapMs > 20 || fault.largestJumpMs > 20, `half a second of standstill was not heard: ${words(fault)}`);
  });
}
