// Every page for everybody: no serious finding by axe in either language and either light, everything reached by the
// keyboard under a name, nothing asked of a third party, nothing against the page's own policy.
import { findings, preferLanguage, preferScheme, tabThrough, watchManners } from '../lib/access.mjs';
import { id, openPage } from '../lib/participant.mjs';
import { check, eventually, test } from '../lib/runner.mjs';
import { createConference, startBot, startServer } from '../lib/server.mjs';

const SCHEMES = ['light', 'dark'];
const SCRIPT_LIMIT = 200_000;
const PLAIN_PAGES = ['/trust', '/no-such-page', '/admin-link'];

async function expectClean(t, page, where) {
  const found = await findings(page);
  check(found.length === 0, `axe on ${where}: ${found.join('; ')}`);
}

async function expectKeyboard(t, page, where, atLeast) {
  const { stops, faults } = await tabThrough(page);
  check(faults.length === 0, `keyboard on ${where}: ${faults.join('; ')}`);
  check(stops.length >= atLeast, `keyboard on ${where} reached only: ${stops.join(', ')}`);
  t.note(`${where}: Tab reaches ${stops.length} places, each with a name`);
}

async function expectManners(manners, where) {
  const strayed = await manners.strayed();
  check(strayed.length === 0, `${where}: ${strayed.join('; ')}`);
}

async function inBothSchemes(t, page, where) {
  for (const scheme of SCHEMES) {
    await preferScheme(page, scheme);
    await expectClean(t, page, `${where}, ${scheme}`);
  }
}

/** Bytes of script as they came over the line. */
function scriptBytes(page) {
  return page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .filter((entry) => new URL(entry.name).pathname.endsWith('.js'))
      .map((entry) => ({ name: new URL(entry.name).pathname, bytes: entry.encodedBodySize })),
  );
}

async function expectSmallScript(t, page) {
  // The meeting's own script follows while the person looks at the form; it counts as well.
  const scripts = await eventually(async () => {
    const seen = await scriptBytes(page);
    return seen.length >= 2 && seen;
  }, 'the join page loads no script');
  const total = scripts.reduce((sum, { bytes }) => sum + bytes, 0);
  check(total > 0 && total <= SCRIPT_LIMIT, `the join page's script is ${total} bytes: ${JSON.stringify(scripts)}`);
  t.note(`the join page's script, with the meeting's: ${total} bytes compressed (limit ${SCRIPT_LIMIT})`);
}

for (const language of ['zh-CN', 'en']) {
  test(`access: in ${language} every page is free of serious findings and wholly in reach of the keyboard`, async (t) => {
    const server = await startServer(t);
    const { chairLink, number } = await createConference(server);
    startBot(t, { url: `${server.url}/j/${number}`, name: 'Bot', mark: 301, tone: 500, args: ['--count', '2'] });
    const person = await openPage(t, 'chromium', { mark: 81, tone: 820, video: { width: 320, height: 180, fps: 5 } });
    const { page } = person;
    const manners = await watchManners(page, server.url);
    await preferLanguage(page, language);

    await page.goto(server.url, { waitUntil: 'domcontentloaded' });
    await page.waitForSelector(id('start-conference'));
    check((await page.evaluate(() => document.documentElement.lang)) === language, 'the page speaks another language');
    await inBothSchemes(t, page, 'the start page');
    await expectKeyboard(t, page, 'the start page', 6);
    await expectManners(manners, 'the start page');

    await page.goto(chairLink, { waitUntil: 'domcontentloaded' });
    await page.waitForSelector(id('join-submit'));
    await expectSmallScript(t, page);
    await inBothSchemes(t, page, 'the join page');
    await expectKeyboard(t, page, 'the join page', 8);
    await expectManners(manners, 'the join page');

    await person.join(chairLink, '张秘书');
    await eventually(async () => (await page.$$(id('tile'))).length >= 3, 'the bots do not come');
    await page.click(id('participants'));
    await page.waitForSelector(id('mute-other'));
    await inBothSchemes(t, page, 'the meeting with participants');
    await expectKeyboard(t, page, 'the meeting with participants', 14);
    await page.keyboard.press('Escape');
    await page.evaluate(() => document.activeElement?.blur?.());
    await page.keyboard.press('c');
    await page.waitForSelector(`aside ${id('chat-input')}`);
    await page.type(id('chat-input'), '请各会场检查声音。');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('aside')?.textContent.includes('请各会场检查声音'));
    await inBothSchemes(t, page, 'the meeting with chat');
    await expectManners(manners, 'the meeting');
    if (language !== 'zh-CN') return; // the plain pages speak both languages at once

    for (const path of PLAIN_PAGES) {
      await page.goto(`${server.url}${path}`, { waitUntil: 'load' });
      await page.waitForSelector('main h1');
      await inBothSchemes(t, page, path);
      await expectKeyboard(t, page, path, path === '/admin-link' ? 0 : 1);
      await expectManners(manners, path);
    }
  }, { timeout: 240_000 });
}

test('access: in Firefox the join page is free of serious findings', async (t) => {
  const server = await startServer(t);
  const { number } = await createConference(server);
  const { page } = await openPage(t, 'firefox', { mark: 82, tone: 900 });
  await page.goto(`${server.url}/j/${number}`, { waitUntil: 'domcontentloaded' });
  await page.waitForSelector(id('join-submit'));
  await expectClean(t, page, 'the join page');
  await expectKeyboard(t, page, 'the join page', 8);
});

test('access: planted faults are seen by every one of these checks', async (t) => {
  const server = await startServer(t);
  const { page } = await openPage(t, 'chromium', { mark: 83, tone: 950 });
  const manners = await watchManners(page, server.url);
  await page.goto(server.url, { waitUntil: 'domcontentloaded' });
  await page.waitForSelector(id('start-conference'));
  await expectClean(t, page, 'the start page as it is');
  await page.evaluate(() => {
    const main = document.querySelector('main');
    const plant = (tag, set) => Object.assign(main.appendChild(document.createElement(tag)), set);
    plant('button', { className: 'planted-nameless' });
    plant('button', { textContent: 'beyond the keyboard', tabIndex: -1 });
    plant('img', { src: 'https://third-party.invalid/pixel.png' });
    const pale = plant('p', { textContent: 'too pale to read' });
    pale.style.color = '#f4f4f4';
    pale.style.background = '#ffffff';
  });
  const found = await findings(page);
  for (const rule of ['button-name', 'image-alt', 'color-contrast'])
    check(found.some((finding) => finding.startsWith(rule)), `axe does not report ${rule}: ${found.join('; ')}`);
  const { faults } = await tabThrough(page);
  check(faults.some((fault) => fault.startsWith('no name') && fault.includes('planted-nameless')), `the nameless button is missed: ${faults}`);
  check(faults.some((fault) => fault.includes('beyond the keyboard')), `the button out of reach is missed: ${faults}`);
  const strayed = await manners.strayed();
  check(strayed.some((stray) => stray.includes('third-party.invalid')), `the third party is missed: ${strayed}`);
});
