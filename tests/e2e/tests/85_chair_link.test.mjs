// Whoever starts a conference on the start page is its chair, and finds the link that makes others chair as well.
import { id, openPage } from '../lib/participant.mjs';
import { check, eventually, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

async function enter(person, name) {
  await person.page.waitForSelector(id('join-name'), { timeout: 30_000 });
  await person.page.type(id('join-name'), name);
  await person.page.click(id('join-submit'));
  await person.page.waitForSelector(id('leave'), { timeout: 30_000 });
}

test('chair link: who starts a conference is its chair and can pass the chair on', async (t) => {
  const server = await startServer(t);
  const video = { width: 320, height: 180, fps: 5 };
  const starter = await openPage(t, 'chromium', { mark: 85, tone: 820, video });
  await starter.page.evaluateOnNewDocument(() => {
    Object.defineProperty(navigator, 'clipboard', { value: { writeText: (text) => ((window.copied = text), Promise.resolve()) } });
  });
  await starter.page.goto(server.url, { waitUntil: 'domcontentloaded' });
  await starter.page.waitForSelector(id('start-conference'));
  await starter.page.click(id('start-conference'));
  await enter(starter, '张秘书');
  await starter.page.waitForSelector(id('end'), { timeout: 20_000 });
  check(!starter.page.url().includes('invite'), 'the address bar shows the chair token');

  await starter.page.waitForSelector(id('copy-chair-link'));
  await starter.page.click(id('copy-chair-link'));
  const chairLink = await eventually(() => starter.page.evaluate(() => window.copied), 'nothing is copied');
  check(/^https:.*\/j\/\d{9}#invite=.+/.test(chairLink), `no chair link: ${chairLink}`);

  const second = await openPage(t, 'chromium', { mark: 86, tone: 940, video });
  await second.page.goto(chairLink, { waitUntil: 'domcontentloaded' });
  await enter(second, '王主任');
  await second.page.waitForSelector(id('end'), { timeout: 20_000 });

  const guest = await openPage(t, 'chromium', { mark: 87, tone: 1060, video });
  await guest.page.goto(chairLink.replace(/#.*/, ''), { waitUntil: 'domcontentloaded' });
  await enter(guest, '李建国');
  await guest.page.click(id('participants'));
  await guest.page.waitForSelector('aside li');
  check(!(await guest.page.$(id('end'))) && !(await guest.page.$(id('copy-chair-link'))), 'a participant is offered what is the chair’s');
  await second.page.click(id('participants'));
  await second.page.waitForSelector(`aside ${id('copy-chair-link')}`);
}, { timeout: 120_000 });
