// What both services tell their supervisor, started by one settings file as the units start them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { check, eventually, test } from '../../e2e/lib/runner.mjs';
import { Child, HUITANG, freeTcpPort, freeUdpPorts } from '../../e2e/lib/server.mjs';

// Node.js has no Unix datagram sockets; Python has. One line for each datagram.
const SUPERVISOR = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0"))
print("listening", flush=True)
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

/** `said` is all that came; `env` is for the service. */
async function supervise(t, name) {
  const socket = `@huitang-test-${process.pid}-${name}`;
  const child = new Child('python3', ['-c', SUPERVISOR, socket]);
  t.after(() => child.stop());
  t.onFailure(async (folder) => child.writeLogs(folder, `supervisor-${name}`));
  await eventually(() => child.out.includes('listening'), 'no supervisor');
  return { child, env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1500000' } };
}

const count = (text, word) => text.split(word).length - 1;

test('supervision: media and serve say ready, alive again and again, how they are, and that they end', async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'huitang-supervision-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = path.join(folder, 'huitang.toml');
  writeFileSync(config, [
    '[server]', `data = "${folder}/data"`, `https_port = ${await freeTcpPort()}`, 'public_address = "127.0.0.1"',
    '[media]', `udp_port = ${await freeUdpPorts(2)}`, 'workers = 2', 'spawn = false', `socket = "${folder}/media.sock"`,
  ].join('\n'));
  const seen = {};
  for (const name of ['serve', 'media']) {
    const supervisor = await supervise(t, name);
    const service = new Child(HUITANG, [name, '--config', config], { env: supervisor.env });
    t.after(() => service.stop());
    t.onFailure(async (where) => service.writeLogs(where, name));
    seen[name] = { supervisor: supervisor.child, service };
    await eventually(() => supervisor.child.out.includes('READY=1'), `${name} is not ready`);
  }
  for (const name of ['serve', 'media'])
    await eventually(() => count(seen[name].supervisor.out, 'WATCHDOG=1') >= 4, `${name} does not keep saying that it lives`);
  // serve came first, so it told of the missing node before it told of a ready box.
  const serve = seen.serve.supervisor;
  check(serve.out.includes('STATUS=the media process does not answer'), `no word of the missing node: ${serve.out}`);
  await eventually(() => serve.out.includes('STATUS=ready, 0 conferences'), () => `never ready: ${serve.out}`);
  check(seen.media.supervisor.out.includes('STATUS=forwarding, 2 workers'), seen.media.supervisor.out);

  seen.media.service.signal('SIGSTOP');
  const before = count(seen.media.supervisor.out, 'WATCHDOG=1');
  const others = count(serve.out, 'WATCHDOG=1');
  await eventually(() => count(serve.out, 'WATCHDOG=1') >= others + 3, 'a frozen node silences serve');
  check(count(seen.media.supervisor.out, 'WATCHDOG=1') <= before + 1, 'a frozen node still says that it lives');
  seen.media.service.signal('SIGCONT');

  for (const name of ['serve', 'media']) {
    const { code } = await seen[name].service.stop();
    check(code === 0, `${name} ended with ${code}`);
    await eventually(() => seen[name].supervisor.out.includes('STOPPING=1'), `${name} did not say that it ends`);
  }
});
