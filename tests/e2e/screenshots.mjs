// Pictures of every page to look at: node screenshots.mjs [plain | join | meeting]
// Chromium against build/release/huitang (or HUITANG_BIN); writes build/screenshots/SCENE-LANGUAGE-SCHEME-SCREEN.png.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { preferLanguage, preferScheme } from './lib/access.mjs';
import { id, newPage, openPage } from './lib/participant.mjs';
import { eventually, ROOT, sleep } from './lib/runner.mjs';
import { createConference, startBot, startServer } from './lib/server.mjs';

const OUT = path.join(ROOT, 'build', 'screenshots');
/** Told to be mobile, the browser would load the page anew, and the person would be out of the meeting. */
const SCREENS = {
  wide: { width: 1920, height: 1080 },
  laptop: { width: 1366, height: 768 },
  phone: { width: 390, height: 844 },
};
const VIDEO = { width: 320, height: 180, fps: 5 };
const wanted = process.argv[2] ?? '';

const cleanups = [];
const evidence = [];
const t = { after: (cleanup) => cleanups.unshift(cleanup), onFailure: (write) => evidence.push(write), note: console.log };

/** In Chinese in all forms; in English, where words are longer, on the small screens in light. */
const FORMS = {
  'zh-CN': Object.keys(SCREENS).flatMap((screen) => [[screen, 'light'], [screen, 'dark']]),
  en: [['laptop', 'light'], ['phone', 'light']],
};

async function shoot(page, scene, language) {
  await page.bringToFront(); // a page behind another asks for no pictures
  await sleep(1_500);
  for (const [screen, scheme] of FORMS[language]) {
    await page.setViewport(SCREENS[screen]);
    await preferScheme(page, scheme);
    await sleep(700); // pictures of the new size arrive
    await page.screenshot({ path: path.join(OUT, `${scene}-${language}-${scheme}-${screen}.png`) });
  }
  await page.setViewport(SCREENS.laptop);
  console.log(`${scene} ${language}`);
}

const withoutDevices = (errorName) => {
  MediaDevices.prototype.getUserMedia = () => Promise.reject(new DOMException('planted', errorName));
  if (errorName === 'NotFoundError') MediaDevices.prototype.enumerateDevices = () => Promise.resolve([]);
};

let marks = 600;
async function freshPage(browser, language) {
  marks += 1;
  const person = await newPage(t, browser, 'chromium', { mark: marks % 400 + 1, tone: 300 + marks, video: VIDEO });
  await preferLanguage(person.page, language);
  await person.page.setViewport(SCREENS.laptop);
  return person;
}

async function plainScenes({ server, browser, language }) {
  const { page } = await freshPage(browser, language);
  for (const [scene, where] of [['start', '/'], ['trust', '/trust'], ['notfound', '/nothing'], ['adminlink', '/admin-link']]) {
    if (language === 'en' && scene !== 'start') continue; // the others speak both languages at once
    await page.goto(`${server.url}${where}`, { waitUntil: 'networkidle0' });
    await shoot(page, scene, language);
  }
  await page.close();
}

async function joinScenes({ server, browser, language }) {
  const { number } = await createConference(server);
  for (const [scene, errorName] of [['join', ''], ['join-nocamera', 'NotFoundError'], ['join-refused', 'NotAllowedError']]) {
    const { page } = await freshPage(browser, language);
    if (errorName !== '') await page.evaluateOnNewDocument(withoutDevices, errorName);
    await page.goto(`${server.url}/j/${number}`, { waitUntil: 'domcontentloaded' });
    await page.waitForSelector(errorName === '' ? '.ht-verdict-good' : '.ht-device-notice');
    await shoot(page, scene, language);
    await page.close();
  }
}

async function press(person, testId) {
  await person.page.evaluate((selector) => document.querySelector(selector).click(), id(testId));
}

async function meetingScenes({ server, browser, language }) {
  const { chairLink, number } = await createConference(server, language === 'en' ? 'Flood control, all counties' : '全县防汛工作调度会');
  const link = `${server.url}/j/${number}`;
  const chair = await freshPage(browser, language);
  await chair.join(chairLink, language === 'en' ? 'Anna Schmidt' : '张秘书');
  await sleep(1_500);
  await shoot(chair.page, 'meeting-alone', language);

  const guest = await freshPage(browser, language);
  await guest.join(link, language === 'en' ? 'Conference room, second floor' : '桥西区应急管理局第二会议室');
  startBot(t, { url: link, name: language === 'en' ? 'Site' : '会场', mark: 410, tone: 500, args: ['--count', '3'] });
  await eventually(async () => (await chair.page.$$(id('tile'))).length >= 5, 'the bots do not come', { timeout: 60_000 });
  await sleep(3_000);
  await shoot(chair.page, 'meeting', language);
  await press(guest, 'hand');
  await press(guest, 'toggle-mic');
  await press(chair, 'participants');
  await sleep(1_000);
  await shoot(chair.page, 'meeting-participants', language);
  await press(chair, 'participants');
  await chair.page.keyboard.press('c');
  await chair.page.waitForSelector(`aside ${id('chat-input')}`);
  for (const text of ['请各会场检查声音和图像。', 'https://box.example/j/123456789 – 材料稍后发到这里，请大家会前看一遍，特别是第三部分。']) {
    await chair.page.type(`aside ${id('chat-input')}`, text);
    await chair.page.keyboard.press('Enter');
  }
  await sleep(500);
  await shoot(chair.page, 'meeting-chat', language);
  await chair.page.evaluate(() => document.activeElement?.blur?.());
  await chair.page.keyboard.press('c');
  await press(guest, 'share-screen');
  await sleep(3_000);
  await shoot(chair.page, 'meeting-share', language);
  await shoot(guest.page, 'meeting-sharing', language);
  await press(guest, 'share-screen');

  startBot(t, { url: link, name: language === 'en' ? 'Office' : '长安区会场', mark: 420, tone: 900, args: ['--count', '16'] });
  await eventually(async () => (await chair.page.$$(id('tile'))).length >= 12, 'the many bots do not come', { timeout: 60_000 });
  await sleep(6_000);
  await shoot(chair.page, 'meeting-many', language);

  await press(chair, 'participants');
  await chair.page.waitForSelector(id('remove'));
  const guestName = guest.name;
  await chair.page.evaluate((name) => {
    [...document.querySelectorAll('.ht-person')].find((row) => row.textContent.includes(name)).querySelector('[data-testid="remove"]').click();
  }, guestName);
  await guest.page.waitForSelector('.ht-out');
  await shoot(guest.page, 'removed', language);
  await press(chair, 'end');
  await sleep(500);
  await shoot(chair.page, 'end-question', language);
  await chair.page.evaluate(() => [...document.querySelectorAll('[role="alertdialog"] button, [role="dialog"] button')].find((b) => /danger/.test(b.className)).click());
  await chair.page.waitForSelector('.ht-out');
  await shoot(chair.page, 'ended', language);
  await chair.page.close();
  await guest.page.close();
}

mkdirSync(OUT, { recursive: true });
let failed = false;
try {
  const server = await startServer(t);
  const { browser } = await openPage(t, 'chromium', { mark: 1, tone: 300 });
  for (const language of Object.keys(FORMS))
    for (const [name, scenes] of Object.entries({ plain: plainScenes, join: joinScenes, meeting: meetingScenes }))
      if (name.startsWith(wanted)) await scenes({ server, browser, language });
  console.log(`the pictures are in ${OUT}`);
} catch (error) {
  failed = true;
  console.log(error.stack);
  mkdirSync(path.join(OUT, 'failed'), { recursive: true });
  for (const write of evidence) await Promise.resolve(write(path.join(OUT, 'failed'))).catch(() => undefined);
} finally {
  for (const cleanup of cleanups) await cleanup();
}
process.exit(failed ? 1 : 0);
