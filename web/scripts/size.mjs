// What the join page costs before it can be used: every script that index.html loads, compressed. The meeting itself
// comes later, while the person looks at the form.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LIMIT = 200_000;
const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const html = readFileSync(join(dist, 'index.html'), 'utf8');

const scripts = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map((match) => match[1]);
if (scripts.length === 0) throw new Error('index.html loads no script');
const problems = [];

let total = 0;
for (const path of scripts) {
  const bytes = statSync(join(dist, `${path}.gz`)).size;
  total += bytes;
  console.log(`${path}  ${bytes} bytes (gzip)`);
}
console.log(`join page: ${total} of ${LIMIT} bytes`);
if (total > LIMIT) problems.push(`the join page's script is ${total} bytes, more than ${LIMIT}`);

// The pages stand under `default-src 'self'`: nothing inline, nothing from elsewhere, each file also compressed.
if (/<script(?![^>]*\ssrc=)[^>]*>/.test(html) || /<style|\sstyle="|\son\w+="/.test(html)) problems.push('index.html holds inline script or style');
if (/(?:src|href)="(?:https?:)?\/\//.test(html)) problems.push('index.html names a third party');
for (const name of readdirSync(join(dist, 'assets'))) {
  if (/\.(?:js|css|svg)$/.test(name)) for (const suffix of ['.gz', '.br']) statSync(join(dist, 'assets', name + suffix));
}

for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);
