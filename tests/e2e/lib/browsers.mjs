// The two browsers of the distribution, started for tests: one place that knows their flags and preferences.
import { execFileSync } from 'node:child_process';
import puppeteer from 'puppeteer-core';
import { soundServer } from './sound.mjs';

export const EXECUTABLES = {
  chromium: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
  firefox: process.env.FIREFOX_BIN ?? '/usr/bin/firefox-esr',
};

const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Pages of one test share a browser; without these the ones behind the front one are throttled.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--ignore-certificate-errors',
  '--autoplay-policy=no-user-gesture-required',
  '--window-size=1280,800',
];

const FIREFOX_PREFS = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  // Nothing may leave the machine.
  'app.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'dom.min_background_timeout_value': 4,
  'dom.timeout.enable_budget_timer_throttling': false,
};

/**
 * Starts a headless browser. `kind` is "chromium" or "firefox"; the caller closes it. `wrapper(path)` may give the path
 * of a program that starts the one at `path` elsewhere (lib/network.mjs).
 */
export async function launch(kind, { args = [], prefs = {}, wrapper = (executable) => executable } = {}) {
  if (kind === 'chromium') {
    return puppeteer.launch({
      browser: 'chrome',
      executablePath: wrapper(EXECUTABLES.chromium),
      headless: true,
      args: [...CHROMIUM_ARGS, ...args],
      acceptInsecureCerts: true,
      defaultViewport: { width: 1280, height: 800 },
      protocolTimeout: 120_000,
    });
  }
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: wrapper(EXECUTABLES.firefox),
    env: { ...process.env, PULSE_SERVER: await soundServer(), PULSE_LATENCY_MSEC: '20' },
    headless: true,
    args,
    extraPrefsFirefox: { ...FIREFOX_PREFS, ...prefs },
    acceptInsecureCerts: true,
    defaultViewport: { width: 1280, height: 800 },
    protocolTimeout: 120_000,
  });
}

/** "Chromium 156.0.7204.92" or the like, as the executable says. */
export function versionOf(kind) {
  const args = kind === 'chromium' ? ['--version', '--no-sandbox'] : ['--version'];
  return execFileSync(EXECUTABLES[kind], args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** The major version as a number. */
export function majorOf(kind) {
  return Number(/(\d+)\./.exec(versionOf(kind))[1]);
}

/** The ids of a started browser's process and of all that come from it. */
export function processesOf(browser) {
  const all = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  const family = [browser.process().pid];
  for (const parent of family) family.push(...all.filter(([, ppid]) => ppid === parent).map(([pid]) => pid));
  return family;
}
