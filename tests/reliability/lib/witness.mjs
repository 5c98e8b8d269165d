// Two ordinary participants of one conference, one of whom says something all the time: what must not suffer while
// strangers misbehave.
import { check, eventually, quantile, sleep } from '../../e2e/lib/runner.mjs';
import { createConference } from '../../e2e/lib/server.mjs';
import { RawSocket } from './raw.mjs';

export class Witness {
  static async start(t, server) {
    const witness = new Witness();
    witness.conference = await createConference(server, 'Witness');
    witness.talker = await witness.enter(server, 'Li Fang');
    witness.listener = await witness.enter(server, '王伟');
    witness.listener.onMessage = (message) => witness.hear(message);
    witness.talking = witness.talk();
    t.after(() => witness.stop());
    return witness;
  }

  constructor() {
    this.sent = 0;
    this.heard = [];
    this.times = [];
    this.lastChange = 0;
    this.gaps = 0;
    this.isOver = false;
  }

  async enter(server, name) {
    const socket = await RawSocket.hello(server);
    const reply = await socket.join(this.conference.number, name);
    check(reply.joined, `${name} is not let in: ${JSON.stringify(reply)}`);
    socket.participant = reply.joined.participantId;
    return socket;
  }

  hear(message) {
    if (!message.change) return;
    const number = Number(message.change.number);
    if (this.lastChange !== 0 && number !== this.lastChange + 1) ++this.gaps;
    this.lastChange = number;
    for (const line of message.change.chat ?? []) this.heard.push(line.text);
  }

  async talk() {
    while (!this.isOver) {
      const began = performance.now();
      const reply = await this.talker.command({ sendChat: { text: `line ${this.sent}` } });
      if (!reply.commandDone) {
        this.failure ??= reply;
        return;
      }
      this.times.push(performance.now() - began);
      ++this.sent;
      await sleep(150);
    }
  }

  stop() {
    this.isOver = true;
    this.talker?.cut();
    this.listener?.cut();
  }

  /** Everything said so far has arrived, in order, once; nobody was thrown out. Gives times in ms. */
  async lostNothing() {
    this.isOver = true;
    await this.talking;
    check(!this.failure, `the talker was refused: ${JSON.stringify(this.failure)}`);
    await eventually(() => this.heard.length >= this.sent, () => `heard ${this.heard.length} of ${this.sent} lines`);
    check(this.heard.every((text, i) => text === `line ${i}`) && this.heard.length === this.sent, 'lines lost, twice or out of order');
    check(this.gaps === 0, `${this.gaps} gaps in the changes`);
    check(!this.talker.closed && !this.listener.closed, 'a participant was thrown out');
    return { lines: this.sent, p95: quantile(this.times, 0.95) };
  }
}

/** The server lives, is well, and printed nothing that a sanitizer or a check prints. */
export function checkHealthy(server) {
  check(!server.child.hasEnded, `serve ended:\n${server.child.err.slice(-3000)}`);
  const report = /.*(AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:|CHECK failed|panic).*/.exec(server.child.err);
  check(!report, `serve reported: ${report?.[0]}`);
}
