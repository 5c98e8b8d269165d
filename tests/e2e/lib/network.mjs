// A network between the browsers and the box that can be cut: box and bots run in a network namespace of their own, the
// browsers stay outside and reach them over a veth pair.
//
//   browsers ── veth outside (10.213.N.1) ═══ veth inside (10.213.N.2) ── serve, media, bots
//                                   cut() drops here, both ways, silently
//
// Needs root, iproute2 and nftables. What is made has the process id in its name and goes with the test or, should the
// runner itself end early, with the runner.
import { execFileSync } from 'node:child_process';

const made = new Set();
process.once('exit', () => made.forEach((network) => network.remove()));

const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });

export const canMakeNetworks = () => process.getuid() === 0;

export class Network {
  /** The namespace ends with the test. */
  constructor(t) {
    const taken = run('ip', '-4', '-o', 'address', 'show');
    const free = Array.from({ length: 254 }, (_, i) => ((process.pid + i) % 254) + 1).find((n) => !taken.includes(` 10.213.${n}.`));
    if (free === undefined) throw new Error('no free network');
    this.prefix = `10.213.${free}`;
    this.name = `huitang-${process.pid}-${free}`;
    this.outside = `ht${process.pid % 1_000_000}o${free}`;
    this.inside = `ht${process.pid % 1_000_000}i${free}`;
    /** Of the box. */
    this.address = `${this.prefix}.2`;
    this.own = `${this.prefix}.1`;
    this.isCut = false;
    made.add(this);
    t.after(() => this.remove());
    run('ip', 'netns', 'add', this.name);
    run('ip', 'link', 'add', this.outside, 'type', 'veth', 'peer', 'name', this.inside, 'netns', this.name);
    run('ip', 'address', 'add', `${this.own}/24`, 'dev', this.outside);
    run('ip', 'link', 'set', this.outside, 'up');
    // While there is no way in, nothing of it goes out by another one.
    run('ip', 'route', 'add', 'unreachable', `${this.prefix}.0/24`, 'metric', '4000');
    this.exec('ip', 'address', 'add', `${this.address}/24`, 'dev', this.inside);
    this.exec('ip', 'link', 'set', this.inside, 'up');
    this.exec('ip', 'link', 'set', 'lo', 'up');
  }

  /**
   * A command line that runs in there; the process keeps its id. Only the network is another one: `ip netns exec` would
   * change mounts as well, and cannot where the root is no mount point (a chroot).
   */
  command(binary, args) {
    return ['nsenter', [`--net=/run/netns/${this.name}`, binary, ...args]];
  }

  exec(...command) {
    const [binary, ...args] = command;
    const [program, words] = this.command(binary, args);
    return run(program, ...words);
  }

  /** Nothing comes through any more, and nobody is told. */
  cut() {
    const rules = `table inet cut {
      chain in { type filter hook prerouting priority -300; iifname "${this.inside}" drop; }
      chain out { type filter hook output priority -300; oifname "${this.inside}" drop; }
    }`;
    execFileSync(...this.command('nft', ['-f', '-']), { input: rules, stdio: ['pipe', 'pipe', 'pipe'] });
    this.isCut = true;
  }

  heal() {
    if (this.isCut) this.exec('nft', 'delete', 'table', 'inet', 'cut');
    this.isCut = false;
  }

  /** The cable on the browsers' side: their machine notices. */
  pull() {
    run('ip', 'link', 'set', this.outside, 'down');
  }

  plugIn() {
    run('ip', 'link', 'set', this.outside, 'up');
  }

  /** The browsers' machine goes on with another address, as after a change from one network to another. */
  changeAddress() {
    const before = this.own;
    this.own = `${this.prefix}.${before.endsWith('.1') ? 3 : 1}`;
    run('ip', 'address', 'del', `${before}/24`, 'dev', this.outside);
    run('ip', 'address', 'add', `${this.own}/24`, 'dev', this.outside);
  }

  remove() {
    if (!made.delete(this)) return;
    // The pair goes with its inner end.
    for (const command of [['netns', 'del', this.name], ['link', 'del', this.outside], ['route', 'del', 'unreachable', `${this.prefix}.0/24`]]) {
      try {
        run('ip', ...command);
      } catch {
        // It is gone already.
      }
    }
  }
}
