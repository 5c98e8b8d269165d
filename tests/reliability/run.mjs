// The rows of the reliability scorecard that need whole processes but no browser:
//   node run.mjs [PART OF A TEST'S NAME]
// Same runner, servers and bots as tests/e2e. HUITANG_DEEP=1 is the long form. What a failed test leaves: build/e2e/.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runAll } from '../e2e/lib/runner.mjs';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'tests');
process.on('unhandledRejection', (error) => console.log(`     (left over: ${error?.message ?? error})`));
for (const file of readdirSync(folder).filter((name) => name.endsWith('.test.mjs')).sort()) await import(path.join(folder, file));
process.exit((await runAll(process.argv[2])) ? 0 : 1);
