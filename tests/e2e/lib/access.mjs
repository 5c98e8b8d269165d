// Whether everybody can use a page: axe's findings, what the Tab key reaches, and whether the page keeps to itself
// (no third party, nothing that its Content-Security-Policy forbids).
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { sleep } from './runner.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WEIGHTY = ['serious', 'critical'];
/** More than any page has places for the keyboard. */
const MOST_STOPS = 120;

/** Serious and critical findings in words: "button-name: .x .y". */
export async function findings(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(`${AXE}; undefined`);
  const violations = await page.evaluate(async (weighty) => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'], preload: false });
    return violations
      .filter(({ impact }) => weighty.includes(impact))
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
  }, WEIGHTY);
  return violations;
}

/**
 * Goes through the page by Tab alone. `stops` are the names of what was reached, in order; `faults` says what has no
 * name and what a mouse could press but Tab never reached. Call `findings` before: names are told by axe.
 */
export async function tabThrough(page) {
  await page.evaluate(() => {
    document.activeElement?.blur?.();
    window.reached = new Set();
  });
  const stops = [];
  let turns = 0;
  for (let i = 0; i < MOST_STOPS; ++i) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const here = document.activeElement;
      if (here === null || here === document.body || here === document.documentElement) return { isOutside: true };
      if (reached.has(here)) return { isKnown: true };
      reached.add(here);
      axe.setup(document.body);
      const name = axe.commons.text.accessibleText(here);
      axe.teardown();
      return { name: name.trim(), what: here.outerHTML.slice(0, 120) };
    });
    if (stop.isKnown) break;
    // Tab goes on from where the last click was; past the last place it leaves the page and comes back at the first.
    if (stop.isOutside && ++turns > 2) break;
    if (!stop.isOutside) stops.push(stop);
  }
  const missed = await page.evaluate(() => {
    const shown = (e) => e.checkVisibility?.({ checkVisibilityCSS: true }) ?? e.getClientRects().length > 0;
    const pressable = document.querySelectorAll('a[href], button, input, select, textarea, [role="button"], [role="menuitem"]');
    return [...pressable].filter((e) => shown(e) && !e.disabled && !reached.has(e)).map((e) => e.outerHTML.slice(0, 120));
  });
  return {
    stops: stops.map(({ name }) => name),
    faults: [
      ...stops.filter(({ name }) => name === '').map(({ what }) => `no name: ${what}`),
      ...missed.map((what) => `not reached by Tab: ${what}`),
    ],
  };
}

/** Notes from now on every request to somebody else and every breach of the policy: `strayed()`. Before page.goto. */
export async function watchManners(page, origin) {
  const strays = [];
  const own = (url) => [origin, origin.replace(/^http/, 'ws')].some((start) => url.startsWith(`${start}/`)) || /^(data|blob|about):/.test(url);
  page.on('request', (request) => own(request.url()) || strays.push(`asked ${request.url()}`));
  page.on('console', (message) => /Content.Security.Policy/i.test(message.text()) && strays.push(message.text()));
  await page.evaluateOnNewDocument(() => {
    window.breaches = [];
    document.addEventListener('securitypolicyviolation', (event) => breaches.push(`${event.violatedDirective}: ${event.blockedURI}`));
  });
  return {
    strayed: async () => {
      await sleep(100); // what was just done may still be on its way
      return [...strays, ...(await page.evaluate(() => window.breaches ?? []))];
    },
  };
}

/** Light or dark as the system says, languages as the person has chosen on an earlier visit. Before page.goto. */
export async function preferLanguage(page, language) {
  await page.evaluateOnNewDocument((code) => {
    try {
      localStorage.setItem('huitang.preferences', JSON.stringify({ language: code }));
    } catch {
      // about:blank has no storage
    }
  }, language);
}

export function preferScheme(page, scheme) {
  return page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: scheme },
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ]);
}
