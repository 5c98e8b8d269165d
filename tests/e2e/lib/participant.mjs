// A person at a page: a browser of its own with marked picture and tone, driven through the stable test ids.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browsers.mjs';
import { continuityOf, SWEEP } from './continuity.mjs';
import { check, eventually, sleep } from './runner.mjs';

const HELPER = readFileSync(path.join(path.dirname(fileURLToPath(import.meta.url)), 'page_helper.js'), 'utf8')
  .replace(/^\/\/.*\n/gm, '')
  .trim()
  .replace(/;$/, '');

const RAW_CLIENT = readFileSync(path.join(path.dirname(fileURLToPath(import.meta.url)), 'raw_client.js'), 'utf8');

export const id = (name) => `[data-testid="${name}"]`;

/**
 * A page whose camera shows `mark` and whose microphone sounds `tone`, or with `sweep` a pitch that tells the time
 * (for `startListening` of another person). The browser ends with the test.
 */
export async function openPage(t, kind, { prefs = {}, args = [], wrapper, ...looks }) {
  const browser = await launch(kind, { prefs, args, wrapper });
  t.after(() => browser.close());
  return newPage(t, browser, kind, looks);
}

/** Another page in a browser that is open already. */
export async function newPage(t, browser, kind, { mark, tone, video = {}, sweep = false }) {
  const page = await browser.newPage();
  const log = [];
  page.on('console', (message) => log.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => log.push(`page error: ${error.message}`));
  const settings = { mark, tone, video, sweep: sweep ? SWEEP : undefined, screenMark: mark + 500, screenTone: tone + 40 };
  await page.evaluateOnNewDocument(`(${HELPER})(${JSON.stringify(settings)})`);
  t.onFailure(async (folder) => {
    writeFileSync(path.join(folder, `${kind}-${mark}.log`), log.join('\n'));
    const state = await page.evaluate(() => ({ counters: e2e.counters, errors: e2e.errors, frames: e2e.frames, tiles: e2e.tiles() }));
    writeFileSync(path.join(folder, `${kind}-${mark}.json`), JSON.stringify(state, null, 1));
  });
  t.onFailure(async (folder) => page.screenshot({ path: path.join(folder, `${kind}-${mark}.png`) }));
  return new Participant(page, browser, kind, settings);
}

export class Participant {
  constructor(page, browser, kind, settings) {
    this.page = page;
    this.browser = browser;
    this.kind = kind;
    this.mark = settings.mark;
    this.tone = settings.tone;
    this.settings = settings;
    this.name = '';
  }

  /** Opens the link of a conference and goes in under a name. */
  async join(url, name) {
    this.name = name;
    await this.page.goto(url, { waitUntil: 'domcontentloaded' });
    await this.page.waitForSelector(id('join-name'), { timeout: 30_000 });
    await this.page.$eval(id('join-name'), (input) => input.select?.());
    await this.page.click(id('join-name'), { count: 3 });
    await this.page.type(id('join-name'), name);
    await this.page.waitForSelector(`${id('join-submit')}:not([disabled]):not([aria-disabled="true"])`, { timeout: 30_000 });
    await this.page.click(id('join-submit'));
    await this.page.waitForSelector(id('leave'), { timeout: 30_000 });
    return this;
  }

  /** Goes in by the bare protocol instead (lib/raw_client.js); the client is `window.raw` in the page. */
  async joinRaw(server, number, name, { media = true } = {}) {
    this.name = name;
    await this.openRaw(server);
    await this.page.evaluate(
      async (n, who, sendMedia) => {
        window.raw = new RawClient();
        await raw.open();
        await raw.connect({ number: n, sendMedia });
        const reply = await raw.join(n, who);
        if (!reply.joined) throw new Error(`join refused: ${JSON.stringify(reply)}`);
      },
      number,
      name,
      media,
    );
    return this;
  }

  /** A page of the box's origin that has the class RawClient and nothing else. */
  async openRaw(server) {
    await this.page.goto(`${server.url}/healthz`, { waitUntil: 'domcontentloaded' });
    await this.page.evaluate(`window.RawClient = ${RAW_CLIENT}`);
  }

  click(testId) {
    return this.page.click(id(testId));
  }

  tiles() {
    return this.page.evaluate(() => e2e.tiles());
  }

  async marks() {
    return (await this.tiles()).map((tile) => tile.mark).filter((mark) => mark !== null);
  }

  counters() {
    return this.page.evaluate(() => ({ ...e2e.counters }));
  }

  /** Loudest level in dBFS of each frequency over `milliseconds`. */
  levels(frequencies, milliseconds = 1200) {
    return this.page.evaluate((f, ms) => e2e.hearFor(f, ms), frequencies, milliseconds);
  }

  /** Waits until the pictures of all these marks are there. */
  async sees(marks, timeout = 25_000) {
    let last = [];
    await eventually(
      async () => {
        last = await this.marks();
        return marks.every((mark) => last.includes(mark));
      },
      () => `${this.kind} (${this.mark}) sees ${last.sort()}, not all of ${marks}`,
      { timeout },
    );
  }

  /** Waits until all these tones are heard at once, each well above the noise. */
  async hears(tones, timeout = 25_000) {
    let last = [];
    await eventually(
      async () => {
        last = await this.levels(tones, 600);
        return last.every((level) => level > HEARD);
      },
      () => `${this.kind} (${this.mark}) hears ${tones.map((tone, i) => `${tone} Hz at ${last[i]?.toFixed(0)} dBFS`)}`,
      { timeout },
    );
  }

  /**
   * Records everything heard from now on; `stop()` gives what continuity.mjs makes of it, and what the jitter buffers
   * concealed meanwhile. Another person has to speak with `sweep`, all others below 1 kHz.
   */
  async startListening() {
    const before = await this.page.evaluate(() => (e2e.record(), e2e.soundFigures()));
    return {
      stop: async () => {
        const [recording, after] = await this.page.evaluate(async () => [e2e.recorder.stop(), await e2e.soundFigures()]);
        const pieces = recording.pieces.map((text) => {
          const bytes = Buffer.from(text, 'base64');
          return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
        });
        return {
          ...continuityOf(pieces, recording.rate),
          missedMs: (recording.missed / recording.rate) * 1000,
          concealedMs: (after.concealed - before.concealed) / 48,
          lostPackets: after.lost - before.lost,
        };
      },
    };
  }

  /** What `startListening` tells of `seconds`. */
  async listen(seconds) {
    const listening = await this.startListening();
    await sleep(seconds * 1000);
    return listening.stop();
  }

  /** Another page of the same window comes to the front: this one is really hidden until `show`. */
  async hide() {
    // Puppeteer makes Chromium's pages believe that they are looked at, wherever they are.
    if (this.kind === 'chromium') await this.page.emulateFocusedPage(false);
    this.inFront = await this.browser.newPage();
    await this.inFront.bringToFront();
    await this.waitForVisibility('hidden');
  }

  async show() {
    await this.page.bringToFront();
    await this.waitForVisibility('visible');
    await this.inFront.close();
  }

  waitForVisibility(state) {
    return eventually(() => this.page.evaluate((s) => document.visibilityState === s, state), `${this.kind} (${this.mark}) is not ${state}`);
  }

  async expectOnePeer() {
    const { peerConnections } = await this.counters();
    check(peerConnections === 1, `${this.kind} (${this.mark}) made ${peerConnections} peer connections`);
  }

  /** Full volume is 0.25; 0 keeps the track running but without sound. */
  loudness(gain) {
    return this.page.evaluate((g) => e2e.loudness(g), gain);
  }
}

/**
 * Tones leave at -12 dBFS; above HEARD they are heard, below SILENT they are not. What Opus makes of other tones was
 * measured at -50 and below (tests/00_harness.test.mjs).
 */
export const HEARD = -30;
export const SILENT = -45;
