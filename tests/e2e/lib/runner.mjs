// The smallest runner that serves: tests run one after the other in the order given, each with its own clean-up;
// a failed one leaves logs and screenshots under build/e2e/.
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const OUT = path.join(ROOT, 'build', 'e2e');
/** What `scripts/test` collects: one JSON line for each row of the reliability scorecard that a test showed. */
export const EVIDENCE = path.join(ROOT, 'build', 'evidence.jsonl');
/** The long form (`scripts/test --deep`). */
export const DEEP = process.env.HUITANG_DEEP === '1';

const registered = [];

/** test('what holds', async (t) => ...). `t.after` registers clean-up, `t.note` a measured line for the report. */
export function test(name, run, { timeout = 180_000 } = {}) {
  registered.push({ name, run, timeout });
}

class Context {
  constructor(name) {
    this.name = name;
    this.cleanups = [];
    this.evidence = [];
    this.rows = [];
    this.slug = name.replace(/[^a-z0-9]+/gi, '-').slice(0, 60);
  }
  after(cleanup) {
    this.cleanups.unshift(cleanup);
  }
  /** Called when the test fails: async (folder) => writes into it. */
  onFailure(evidence) {
    this.evidence.push(evidence);
  }
  note(text) {
    console.log(`     ${text}`);
  }
  /** A row of the scorecard, what was measured, in words for the table under docs/evidence/. */
  row(row, measured) {
    this.note(`${row}: ${measured}`);
    this.rows.push({ row, measured, form: DEEP ? 'deep' : 'quick' });
  }
}

function deadline(promise, milliseconds) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, expired]).finally(() => clearTimeout(timer));
}

async function runOne({ name, run, timeout }) {
  const context = new Context(name);
  const began = Date.now();
  let failure;
  try {
    await deadline(run(context), timeout);
  } catch (error) {
    failure = error;
    const folder = path.join(OUT, context.slug);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'error.txt'), `${error.stack ?? error}\n`);
    for (const evidence of context.evidence) await deadline(evidence(folder), 20_000).catch(() => undefined);
  }
  for (const cleanup of context.cleanups) await deadline(Promise.resolve().then(cleanup), 30_000).catch(() => undefined);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  console.log(`${failure ? 'FAIL' : '  ok'} ${name} (${seconds} s)`);
  if (failure) console.log(`     ${failure.message}`);
  for (const row of context.rows) appendFileSync(EVIDENCE, `${JSON.stringify({ ...row, test: name, passed: !failure, seconds: Number(seconds) })}\n`);
  return !failure;
}

/**
 * Runs all registered tests whose name holds `filter`; true when all passed. Browsers die and machines stall for reasons
 * that are not ours, so a failed test gets one second try, and the count of those says so: a rising count is a finding.
 */
export async function runAll(filter) {
  mkdirSync(OUT, { recursive: true });
  const chosen = registered.filter((t) => !filter || t.name.includes(filter));
  let passed = 0;
  let second = 0;
  for (const one of chosen) {
    let ok = await runOne(one);
    if (!ok) {
      ok = await runOne(one);
      if (ok) ++second;
    }
    passed += ok ? 1 : 0;
  }
  if (second > 0) console.log(`${second} passed only on a second try`);
  console.log(`${passed} passed, ${chosen.length - passed} failed`);
  return passed === chosen.length && passed > 0;
}

export function check(condition, text) {
  if (!condition) throw new Error(text);
}

export function sleep(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** Asks until `probe` gives something true; throws `text` (or what text() says) after `timeout`. */
export async function eventually(probe, text, { timeout = 20_000, every = 150 } = {}) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(typeof text === 'function' ? text() : text);
    await sleep(every);
  }
}

export function median(values) {
  return quantile(values, 0.5);
}

/** Nearest rank. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))];
}
