// What the node and the server enforce whatever a client does: mute, removal, lock, end.
import { HEARD, SILENT, id, openPage } from '../lib/participant.mjs';
import { check, eventually, sleep, test } from '../lib/runner.mjs';
import { createConference, startBot, startServer } from '../lib/server.mjs';

const BOT = { name: 'Bot Anton', mark: 201, tone: 500 };

/** In the participants panel, the row's button for somebody. */
async function pressFor(person, name, button) {
  if (!(await person.page.$(id(button)))) await person.click('participants');
  await person.page.waitForSelector(id(button), { timeout: 10_000 });
  const pressed = await person.page.evaluate(
    (who, selector) => {
      const tile = [...document.querySelectorAll('[data-testid="tile"]')].find((t) => t.dataset.name === who);
      const row = [...document.querySelectorAll('[data-participant]')].find(
        (r) => r.dataset.participant === tile?.dataset.participant && r.querySelector(selector),
      );
      row?.querySelector(selector).click();
      return Boolean(row);
    },
    name,
    id(button),
  );
  check(pressed, `no ${button} for ${name}`);
}

/** A dialog may ask whether one means it: the button of danger in it, if there is one. */
async function confirmIfAsked(person) {
  await sleep(400);
  await person.page.evaluate(() => {
    const dialog = document.querySelector('[role="alertdialog"], [role="dialog"]');
    const buttons = dialog ? [...dialog.querySelectorAll('button')] : [];
    (buttons.find((b) => /danger/.test(b.className)) ?? buttons.at(-1))?.click();
  });
}

test('authority: who is muted by the chair is silent at once though his client goes on sending', async (t) => {
  const server = await startServer(t);
  const { number, chairLink } = await createConference(server);
  const link = `${server.url}/j/${number}`;
  const chair = await openPage(t, 'chromium', { mark: 31, tone: 820 });
  const listener = await openPage(t, 'firefox', { mark: 32, tone: 1040 });
  const talker = await openPage(t, 'chromium', { mark: 35, tone: 1500 });
  await chair.join(chairLink, 'Chair');
  await listener.join(link, 'Listener');
  // A client of the bare protocol: it does not turn its own microphone off when it is muted.
  await talker.joinRaw(server, number, 'Talker');
  await chair.hears([1500], 40_000);
  await listener.hears([1500], 40_000);

  const sentBefore = await packetsSent(talker);
  await pressFor(chair, 'Talker', 'mute-other');
  const began = Date.now();
  let level = 0;
  while (Date.now() - began < 5_000 && level > SILENT) [level] = await listener.levels([1500], 120);
  check(level <= SILENT, `the muted one is still heard at ${level.toFixed(0)} dBFS`);
  t.note(`silent at the others ${Date.now() - began} ms after the chair's click (steps of about 200 ms of the meter)`);
  const [stays, atChair] = [(await listener.levels([1500], 3_000))[0], (await chair.levels([1500], 1_000))[0]];
  check(stays <= SILENT && atChair <= SILENT, `heard again at ${stays.toFixed(0)} and ${atChair.toFixed(0)} dBFS`);
  const sentAfter = await packetsSent(talker);
  check(sentAfter - sentBefore > 100, `the muted client sent only ${sentAfter - sentBefore} packets more`);
  const track = await talker.page.evaluate(() => {
    const sender = raw.pc.getSenders().find((s) => s.track?.kind === 'audio');
    return sender.track.enabled && sender.track.readyState === 'live';
  });
  check(track, 'the muted client had turned its track off by itself');
  await eventually(async () => (await listener.tiles()).find((tile) => tile.name === 'Talker')?.muted === 'true', 'no tile shows the mute');
}, { timeout: 240_000 });

function packetsSent(person) {
  return person.page.evaluate(async () => {
    for (const report of (await raw.pc.getStats()).values())
      if (report.type === 'outbound-rtp' && report.kind === 'audio') return report.packetsSent;
    return 0;
  });
}

test('authority: who is removed is out and cannot come back with his old token', async (t) => {
  const server = await startServer(t);
  const { number, chairLink } = await createConference(server);
  startBot(t, { url: `${server.url}/j/${number}`, ...BOT });
  const chair = await openPage(t, 'chromium', { mark: 31, tone: 820 });
  const guest = await openPage(t, 'chromium', { mark: 36, tone: 1700 });
  await chair.join(chairLink, 'Chair');
  await guest.joinRaw(server, number, 'Guest');
  await chair.sees([36], 40_000);
  await chair.hears([1700], 40_000);
  await pressFor(chair, 'Guest', 'remove');
  await confirmIfAsked(chair);
  const left = await eventually(() => guest.page.evaluate(() => raw.left), 'the removed one is not told');
  check(left.reason === 'LEAVE_REASON_REMOVED', JSON.stringify(left));
  await eventually(async () => !(await chair.marks()).includes(36), 'the picture of the removed one stays');
  await sleep(500);
  const [level] = await chair.levels([1700], 1_500);
  check(level <= SILENT, `the removed one is still heard at ${level.toFixed(0)} dBFS`);

  const attempts = await guest.page.evaluate(async (n) => {
    const tokens = raw.received.flatMap((m) => (m.welcome ? [m.welcome.resumeToken] : []));
    const outcome = {};
    outcome.sameSocket = await raw.join(n, 'Guest again').catch((e) => ({ error: String(e) }));
    const again = new RawClient();
    outcome.hello = await again.open({ resumeToken: tokens.at(-1) }).catch((e) => ({ error: String(e) }));
    if (!again.closed) outcome.join = await again.join(n, 'Guest again');
    return outcome;
  }, number);
  const refusal = attempts.join?.refused ?? attempts.hello?.refused;
  t.note(`same socket: ${JSON.stringify(attempts.sameSocket)}; old token: ${JSON.stringify(refusal ?? attempts)}`);
  check(!attempts.sameSocket.joined, 'the removed one came back over his socket');
  check(refusal && !attempts.join?.joined, `the old token was good for ${JSON.stringify(attempts)}`);
  await sleep(1_000);
  check(!(await chair.marks()).includes(36), 'the removed one is back in the picture');
}, { timeout: 240_000 });

test('authority: a locked conference lets nobody in, and its end ends it for all', async (t) => {
  const server = await startServer(t);
  const { number, chairLink } = await createConference(server);
  const chair = await openPage(t, 'chromium', { mark: 31, tone: 820 });
  const late = await openPage(t, 'firefox', { mark: 37, tone: 900 });
  await chair.join(chairLink, 'Chair');
  const guest = await openPage(t, 'chromium', { mark: 38, tone: 1900 });
  await guest.joinRaw(server, number, 'Guest', { media: false });
  await chair.click('lock');
  await late.openRaw(server);
  const refused = await eventually(
    () =>
      late.page.evaluate(async (n) => {
        window.raw = new RawClient();
        await raw.open();
        const reply = await raw.join(n, 'Late');
        raw.socket.close();
        return reply.refused;
      }, number),
    'the locked conference lets people in',
  );
  // Locked and no such conference look alike to whoever has no invitation.
  check(refused.code === 'REFUSAL_CODE_NOT_FOUND', JSON.stringify(refused));
  await chair.click('end');
  await confirmIfAsked(chair);
  const left = await eventually(() => guest.page.evaluate(() => raw.left), 'the end is not told');
  check(left.reason === 'LEAVE_REASON_CONFERENCE_ENDED', JSON.stringify(left));
}, { timeout: 180_000 });
