// `huitang doctor` on a healthy box and on broken ones: what is broken must be named, and nothing else be called broken.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { check, eventually, test } from '../../e2e/lib/runner.mjs';
import { Child, HUITANG, request, startServer } from '../../e2e/lib/server.mjs';

const GRADES = ['ok', 'warning', 'error'];
// What depends on the machine under the test, not on the box in it.
const OF_THE_MACHINE = ['time', 'kernel-buffers', 'disk'];

function judge(output, code) {
  const report = JSON.parse(output);
  check(code === GRADES.indexOf(report.worst), `exit code ${code} with worst ${report.worst}`);
  for (const finding of report.findings) {
    for (const language of ['zh', 'en']) {
      check(finding.what[language] !== '', `${finding.id}: nothing said in ${language}`);
      check(finding.grade === 'ok' || finding.advice[language] !== '', `${finding.id}: no advice in ${language}`);
    }
  }
  return {
    ids: (grade) => [...new Set(report.findings.filter((f) => f.grade === grade).map((f) => f.id))],
    say: (id) => report.findings.filter((f) => f.id === id).map((f) => `${f.grade}: ${f.what.en}`).join('; '),
  };
}

function boxFlags({ data, httpsPort, udpPort }) {
  return ['--data', data, '--https-port', String(httpsPort), '--udp-port', String(udpPort), '--public-address', '127.0.0.1'];
}

async function examine(t, server, args = []) {
  const doctor = new Child(HUITANG, ['doctor', '--json', ...boxFlags(server), ...args]);
  t.onFailure(async (folder) => doctor.writeLogs(folder, 'doctor'));
  const { code } = await doctor.ended;
  return judge(doctor.out, code);
}

function emptyFolder(t) {
  const data = mkdtempSync(path.join(os.tmpdir(), 'huitang-doctor-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  return data;
}

function expectErrors(report, expected) {
  const errors = report.ids('error').filter((id) => !OF_THE_MACHINE.includes(id));
  check(errors.sort().join() === expected.sort().join(), `errors: ${errors.map((id) => `${id} (${report.say(id)})`)}; expected: ${expected}`);
}

test('doctor: a healthy box has no errors, and a trial meeting is held in it and ended', async (t) => {
  const server = await startServer(t);
  const report = await examine(t, server);
  expectErrors(report, []);
  check(report.say('media-path').startsWith('ok'), report.say('media-path'));
  await eventually(
    async () => /^huitang_conferences 1$/m.test((await request(server, 'GET', '/metrics')).body),
    'the trial conference is still there',
  );
});

test('doctor: each of a box’s troubles is named', async (t) => {
  const server = await startServer(t);

  const expired = emptyFolder(t);
  const file = (name) => path.join(expired, name);
  execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file('server.key')]);
  execFileSync('openssl', ['req', '-new', '-key', file('server.key'), '-subj', '/CN=127.0.0.1', '-out', file('server.csr')]);
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1');
  const sign = ['x509', '-req', '-in', file('server.csr'), '-signkey', file('server.key'), '-days', '-1', '-extfile', file('names')];
  execFileSync('openssl', [...sign, '-out', file('server.crt')], { stdio: 'ignore' });
  const settings = file('huitang.toml');
  writeFileSync(settings, `[tls]\ncert = "${file('server.crt')}"\nkey = "${file('server.key')}"\n`);
  const certificate = await examine(t, server, ['--config', settings, '--no-trial']);
  check(certificate.say('certificate').includes('expired'), certificate.say('certificate'));
  check(certificate.ids('error').includes('certificate'), 'an expired certificate is no error');

  const media = Number(/child started what=media pid=(\d+)/.exec(server.child.err)?.[1]);
  process.kill(media, 'SIGSTOP');
  try {
    const frozen = await examine(t, server, ['--no-trial']);
    check(frozen.say('media').startsWith('error') && frozen.say('media').includes('hangs'), `frozen media: ${frozen.say('media')}`);
  } finally {
    process.kill(media, 'SIGCONT');
  }
});

test('doctor: a port that another program holds is named with that program', async (t) => {
  const other = net.createServer();
  await new Promise((done) => other.listen(0, '0.0.0.0', done));
  t.after(() => other.close());
  const report = await examine(t, { data: emptyFolder(t), httpsPort: other.address().port, udpPort: 47_000 });
  check(report.say('port-https').startsWith('error'), report.say('port-https'));
  check(report.say('port-https').includes(`(${process.pid})`), report.say('port-https'));
  check(report.ids('error').includes('serve') && report.ids('error').includes('media'), `errors: ${report.ids('error')}`);
});

test('doctor: a data folder that has become read-only is named', async (t) => {
  const server = await startServer(t);
  // The same folder, read-only in a mount namespace of the doctor alone: a mode would not hold root back. In a chroot, whose
  // root is no mount point, propagation cannot be switched off; there the mount is taken away again for all to see.
  const command = `folder=$1; shift; mount --bind "$folder" "$folder" && mount -o remount,ro,bind "$folder" || exit 99
    "$@"; code=$?; umount "$folder"; exit $code`;
  const canBePrivate = spawnSync('unshare', ['-m', 'true']).status === 0 || process.getuid() !== 0;
  const unshare = [process.getuid() === 0 ? '-m' : '-rm', ...(canBePrivate ? [] : ['--propagation', 'unchanged'])];
  const run = spawnSync('unshare', [...unshare, 'sh', '-c', command, 'sh', server.data, HUITANG, 'doctor', '--json', '--no-trial', ...boxFlags(server)]);
  const report = judge(run.stdout.toString(), run.status);
  check(report.say('disk').startsWith('error') && report.say('disk').includes('Read-only'), report.say('disk'));
  const errors = report.ids('error').filter((id) => id !== 'time');
  check(errors.join() === 'disk', `errors: ${errors}`);
});
