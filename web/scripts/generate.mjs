// Generates packages/protocol/src/gen from ../proto with the distribution's protoc and the locked protoc-gen-es.
// Generated code is never committed. Enumerations lose their prefix only in TypeScript names, never on the wire.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = join(dirname(fileURLToPath(import.meta.url)), '..');
const proto = join(web, '..', 'proto');
const out = join(web, 'packages', 'protocol', 'src', 'gen');
const families = ['enums', 'signaling', 'api'];

const known = new Set(readdirSync(join(proto, 'huitang', 'v1')));
const files = families.map((family) => `${family}.proto`);
for (const file of files) {
  if (!known.has(file)) throw new Error(`proto/huitang/v1/${file} is missing`);
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
execFileSync(
  process.env.PROTOC ?? 'protoc',
  [
    `--plugin=protoc-gen-es=${join(web, 'node_modules', '.bin', 'protoc-gen-es')}`,
    `--proto_path=${proto}`,
    `--es_out=${out}`,
    '--es_opt=target=ts,import_extension=none',
    ...files.map((file) => join(proto, 'huitang', 'v1', file)),
  ],
  { stdio: 'inherit' },
);
