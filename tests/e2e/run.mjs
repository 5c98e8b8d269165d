// End-to-end tests in the real Chromium and Firefox: node run.mjs [PART OF A TEST'S NAME]
// HUITANG_BIN names the executable (build/release/huitang). Logs and screenshots of failures: build/e2e/.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXECUTABLES, versionOf } from './lib/browsers.mjs';
import { runAll } from './lib/runner.mjs';
import { HUITANG } from './lib/server.mjs';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'tests');
for (const kind of Object.keys(EXECUTABLES)) console.log(versionOf(kind));
if (!existsSync(HUITANG) && !process.argv[2]?.startsWith("harness")) {
  console.log(`${HUITANG} is not there: run scripts/build`);
  process.exit(1);
}
// A page that closes while it still measures rejects what nobody waits for any more; the test itself has its verdict.
process.on('unhandledRejection', (error) => console.log(`     (left over: ${error?.message ?? error})`));
for (const file of readdirSync(folder).filter((name) => name.endsWith('.test.mjs')).sort()) await import(path.join(folder, file));
process.exit((await runAll(process.argv[2])) ? 0 : 1);
