// Broken signaling and SDP are answered with clear codes, and nothing is lost for the others.
import { openPage } from '../lib/participant.mjs';
import { check, sleep, test } from '../lib/runner.mjs';
import { createConference, request, startBot, startServer } from '../lib/server.mjs';

const BOT = { name: 'Bot Anton', mark: 201, tone: 500 };

/** In a page with RawClient: sends each broken message on its own connection and tells what came back. */
async function sayWrongThings(number) {
  const good = new RawClient();
  await good.open();
  const pc = new RTCPeerConnection();
  pc.addTransceiver('audio', { direction: 'sendonly' });
  const { sdp } = await pc.createOffer();
  const lines = [{ mid: '0', use: 'LINE_USE_MICROPHONE' }];
  const ask = async (body, prepare) => {
    const client = new RawClient();
    await client.open();
    await prepare?.(client);
    const reply = await client.ask(body, 4000);
    client.socket.close();
    // What could not be read as a message at all is refused without a number to reply to.
    return reply.silent ? (client.received.find((m) => m.refused) ?? reply) : reply;
  };
  const text = async (raw) => {
    const client = new RawClient();
    await client.open();
    client.sendText(raw);
    const began = performance.now();
    while (performance.now() - began < 3000 && !client.closed && client.received.length < 2) await new Promise((d) => setTimeout(d, 50));
    client.socket.close();
    return client.received[1] ?? { closed: client.closed };
  };
  return {
    'an offer that is no SDP': await ask({ offer: { sdp: 'hello', lines } }),
    'an empty offer': await ask({ offer: { sdp: '', lines: [] } }),
    'an offer without fingerprint': await ask({ offer: { sdp: sdp.replace(/a=fingerprint.*\r\n/g, ''), lines } }),
    'an offer without BUNDLE': await ask({ offer: { sdp: sdp.replace(/a=group.*\r\n/, ''), lines } }),
    'an offer with a line that is announced but not there': await ask({ offer: { sdp, lines: [...lines, { mid: '77', use: 'LINE_USE_CAMERA' }] } }),
    'a source announced as a slot': await ask({ offer: { sdp, lines: [{ mid: '0', use: 'LINE_USE_AUDIO_SLOT' }] } }),
    'an offer of 300 kB': await ask({ offer: { sdp: sdp + 'a=x\r\n'.repeat(60_000), lines } }),
    'a join without a name': await ask({ join: { number, name: '' } }),
    'a join with a name of 10 kB': await ask({ join: { number, name: 'x'.repeat(10_000) } }),
    'a join of no conference': await ask({ join: { number: '000000001', name: 'x' } }),
    'a command of somebody who is not in': await ask({ command: { commandId: 'a', setHand: { up: true } } }),
    'a message without a body': await ask({}),
    'a message with an unknown body': await ask({ conquer: { world: true } }),
    'text that is no JSON': await text('{{{'),
    'JSON that is no message': await text('[1,2,3]'),
    'a message nested 5000 deep': await text('['.repeat(5000)),
    'a message before Hello': await (async () => {
      const socket = new WebSocket(`wss://${location.host}/ws`, 'huitang.v1');
      return new Promise((done) => {
        socket.onopen = () => socket.send(JSON.stringify({ id: 7, join: { number, name: 'x' } }));
        socket.onmessage = (event) => done(JSON.parse(event.data));
        socket.onclose = (event) => done({ closed: { code: event.code, reason: event.reason } });
      });
    })(),
  };
}

test('broken input: every wrong message gets a clear code, and the meeting goes on undisturbed', async (t) => {
  const server = await startServer(t);
  const { number } = await createConference(server);
  const link = `${server.url}/j/${number}`;
  const bot = startBot(t, { url: link, ...BOT });
  const witness = await openPage(t, 'chromium', { mark: 31, tone: 820 });
  await witness.join(link, 'Witness');
  await witness.sees([BOT.mark], 40_000);
  await witness.hears([BOT.tone], 40_000);
  const vandal = await openPage(t, 'chromium', { mark: 39, tone: 300 });
  await vandal.openRaw(server);

  const watching = witness.page.evaluate(async (tone) => {
    let worst = 0;
    const end = performance.now() + 15_000;
    while (performance.now() < end) {
      worst = Math.min(worst, e2e.hear([tone])[0]);
      await new Promise((done) => setTimeout(done, 150));
    }
    return worst;
  }, BOT.tone);
  watching.catch(() => undefined);  // when the test fails before it is asked for
  const replies = await vandal.page.evaluate(sayWrongThings, number);
  const unclear = [];
  for (const [what, reply] of Object.entries(replies)) {
    const code = reply.refused?.code;
    t.note(`${what}: ${code ?? JSON.stringify(reply)}${reply.refused?.detail ? ` (${reply.refused.detail})` : ''}`);
    const isClear = code ? code !== 'REFUSAL_CODE_INTERNAL' && code !== 'REFUSAL_CODE_UNSPECIFIED' : reply.closed?.code >= 1002;
    if (!isClear) unclear.push(what);
  }
  for (const what of Object.keys(replies).filter((w) => /offer/.test(w) && !/300 kB/.test(w)))
    if (!['REFUSAL_CODE_BAD_SDP', 'REFUSAL_CODE_BAD_REQUEST'].includes(replies[what].refused?.code)) unclear.push(`${what} (code)`);
  check(unclear.length === 0, `unclear answers to: ${unclear.join('; ')}`);

  const worst = await watching;
  check(worst > -40, `the bot's tone fell to ${worst.toFixed(0)} dBFS meanwhile`);
  await witness.sees([BOT.mark], 2_000);
  check(!bot.child.hasEnded && !server.child.hasEnded, 'a process ended');
  await witness.expectOnePeer();
  const health = await request(server, 'GET', '/healthz');
  check(health.status === 200, `healthz says ${health.status}`);
}, { timeout: 240_000 });
