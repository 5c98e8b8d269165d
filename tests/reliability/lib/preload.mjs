// A clock that a test steps and a disk that it lets hang (preload.c), for processes of an ordinary build.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = path.join(path.dirname(fileURLToPath(import.meta.url)), 'preload.c');

/** {env} for the process; `step(seconds)` moves its wall clock that far from ours, `hang(true)` stops its disk. */
export function preload(t) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'huitang-preload-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const library = path.join(folder, 'preload.so');
  const clock = path.join(folder, 'clock');
  const disk = path.join(folder, 'disk-hangs');
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, SOURCE, '-ldl']);
  return {
    env: { LD_PRELOAD: library, HUITANG_TEST_CLOCK: clock, HUITANG_TEST_DISK: disk },
    step: (seconds) => writeFileSync(clock, String(seconds)),
    hang: (is) => (is ? writeFileSync(disk, '') : rmSync(disk, { force: true })),
  };
}
