// A sound server of our own with a null sink: without any sound device Firefox's audio graph does not run at all
// (measured with 153: an AudioContext stays suspended, remote tracks give no samples).
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

let started;

async function start() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'huitang-sound-'));
  const socket = path.join(folder, 'native');
  const child = spawn(
    'pulseaudio',
    [
      '-n', '--daemonize=no', '--exit-idle-time=-1', '--use-pid-file=no', '--log-level=error',
      '--load=module-null-sink sink_name=null rate=48000',
      `--load=module-native-protocol-unix socket=${socket} auth-anonymous=1`,
    ],
    { stdio: 'ignore', env: { PATH: process.env.PATH, HOME: folder, PULSE_RUNTIME_PATH: folder } },
  );
  let failure;
  child.once('error', (error) => (failure = error));
  process.once('exit', () => {
    child.kill('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  });
  for (let tries = 0; tries < 100 && !existsSync(socket); ++tries) {
    if (failure || child.exitCode !== null) throw new Error('pulseaudio (package pulseaudio) does not start');
    await new Promise((done) => setTimeout(done, 50));
  }
  child.unref();
  return `unix:${socket}`;
}

/** The address of the sound server, for PULSE_SERVER; started with the first call, ended with this process. */
export function soundServer() {
  return (started ??= start());
}
