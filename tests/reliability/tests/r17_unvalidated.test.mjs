// R17: DTLS and STUN from addresses that ICE has not validated have no effect and get no more bytes than they sent;
// honest clients whose first flight comes in pieces and out of order connect meanwhile.
import dgram from 'node:dgram';
import { DEEP, check, eventually, test } from '../../e2e/lib/runner.mjs';
import { startBot } from '../../e2e/lib/server.mjs';
import { eventsOf, startCall } from '../lib/call.mjs';
import { Relay, Strangers, cutClientHello, freshlyHeardBy, isClientHello, nodeCounters, stunRequest, usernameOf } from '../lib/hostile.mjs';

const CLIENTS = DEEP ? 40 : 4;

/** Pieces in an order of their own for each n, one of them twice. */
function shuffled(pieces, n) {
  const rest = [...pieces];
  const out = [];
  while (rest.length > 0) out.push(...rest.splice((n * 7 + rest.length) % rest.length, 1));
  return [...out, out[n % out.length]];
}

test('R17: strangers get nothing, honest clients with fragmented first flights connect', async (t) => {
  const { server, conference, relay, listener } = await startCall(t);
  const hello = relay.heard('dtls').find(isClientHello);
  const name = usernameOf(relay.heard('stun')[0]);
  const flight = relay.heard('dtls');
  const make = (n) => (n % 3 === 0 ? stunRequest(name, { integrity: n % 2 === 0 }) : n % 3 === 1 ? cutClientHello(hello, 3)[n % 3] : flight[n % flight.length]);
  const strangers = await Strangers.start(t, 50);
  const before = await nodeCounters(server);
  const heard = await freshlyHeardBy(listener);
  const times = [];
  const attack = strangers.flood(server.udpPort, { seconds: DEEP ? 120 : 12, rate: 500, make });
  for (let n = 0; n < CLIENTS; ++n) {
    const own = await Relay.start(t, server.udpPort);
    own.change = (bytes) => (isClientHello(bytes) ? shuffled(cutClientHello(bytes, 4), n) : [bytes]);
    const began = Date.now();
    const bot = startBot(t, { url: conference.link, name: `Bot ${n}`, mark: 300 + n, tone: 700, args: ['--json', '--receive-only', '--via', String(own.port)] });
    await eventually(() => eventsOf(bot, 'media').some((e) => e.connected), `client ${n} does not connect`, { timeout: 30_000, every: 20 });
    times.push((Date.now() - began) / 1000);
    check(own.tape.some(isClientHello), 'no ClientHello was cut');
    await bot.child.stop();
  }
  await attack;
  const after = await nodeCounters(server);
  check(strangers.heardBytes === 0, `${strangers.heardBytes} bytes left for addresses without a valid check`);
  check(after.unattributed - before.unattributed > strangers.sent * 0.3, 'the node did not notice the strangers');
  check((await freshlyHeardBy(listener)).lost === heard.lost, 'the running call lost packets');

  // Planted fault: a responder that answers STUN to whoever sends it.
  const polite = dgram.createSocket('udp4');
  t.after(() => polite.close());
  await new Promise((done) => polite.bind(0, '127.0.0.1', done));
  polite.on('message', (bytes, from) => polite.send(Buffer.concat([Buffer.from([1, 1]), bytes.subarray(2), Buffer.alloc(12)]), from.port, from.address));
  const others = await Strangers.start(t, 3);
  await others.flood(polite.address().port, { seconds: 0.3, rate: 100, make: () => stunRequest(name) });
  await eventually(() => others.heardBytes > others.sentBytes, 'an amplifier goes unnoticed');
  t.row('R17', `${strangers.sent} datagrams of strangers: ${strangers.heardBytes} bytes answered; ${CLIENTS} clients with cut and shuffled ClientHello connected in ${times.map((s) => s.toFixed(1)).join(', ')} s (from process start)`);
}, { timeout: DEEP ? 600_000 : 180_000 });
