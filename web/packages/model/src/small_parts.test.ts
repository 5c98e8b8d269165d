import { VirtualClock } from '@huitang/client/testing';
import { describe, expect, it } from 'vitest';
import { textToSend, unreadCount, visibleTo } from './chat';
import { MOST_NOTICES, NoticeBoard, NOTICE_LIFE_MS, noticeOf, type Notice } from './notices';
import { DEFAULT_PREFERENCES, loadPreferences, savePreferences } from './preferences';
import { barsOf, compareSamples, sampleOf } from './quality';
import { panelOrder, searchByName } from './roster';
import { QUIET_AGAIN_MS, SPEECH_LEVEL, SPEECH_MS, SpeakingReminder } from './speaking_reminder';
import { person } from './testing/people';
import type { Change } from '@huitang/client';

const CHANGE: Change = { number: 1n, byId: 'c', byName: 'C', at: 0, conference: undefined, participants: [], gone: [], chat: [], happening: undefined };

describe('notices', () => {
  const names = new Map([
    ['me', person('me', 1)],
    ['a', person('a', 2)],
  ]);

  it('speak of others, not of what I did myself', () => {
    expect(noticeOf({ ...CHANGE, happening: { what: 'joined', id: 'a' } }, names, 'me')).toEqual({ key: 'joined', name: 'A' });
    expect(noticeOf({ ...CHANGE, happening: { what: 'joined', id: 'me' } }, names, 'me')).toBeUndefined();
    expect(noticeOf({ ...CHANGE, happening: { what: 'muted', id: 'me' } }, names, 'me')).toEqual({ key: 'youWereMuted' });
    expect(noticeOf({ ...CHANGE, happening: { what: 'muted', id: 'a' } }, names, 'me')).toBeUndefined();
  });

  it('say so when the chair stops my share, and not when I do', () => {
    const stopped = { what: 'shareStopped', id: 'me' } as const;
    expect(noticeOf({ ...CHANGE, byId: 'a', happening: stopped }, names, 'me')).toEqual({ key: 'yourShareStopped' });
    expect(noticeOf({ ...CHANGE, byId: 'me', happening: stopped }, names, 'me')).toBeUndefined();
  });

  it('go by themselves, stay few, and do not repeat each other', async () => {
    const clock = new VirtualClock();
    let shown: readonly Notice[] = [];
    const board = new NoticeBoard(clock, (notices) => (shown = notices));
    board.add({ key: 'locked' });
    board.add({ key: 'locked' });
    expect(shown).toHaveLength(1);
    for (let n = 0; n < 10; n++) board.add({ key: 'joined', name: `${n}` });
    expect(shown).toHaveLength(MOST_NOTICES);
    await clock.advance(NOTICE_LIFE_MS);
    expect(shown).toHaveLength(0);
  });
});

describe('SpeakingReminder', () => {
  it('speaks up after half a second of speech while muted, once in a while', () => {
    const reminder = new SpeakingReminder();
    const told: number[] = [];
    for (let now = 0; now <= QUIET_AGAIN_MS + 2 * SPEECH_MS; now += 50) {
      if (reminder.handleLevel(now, SPEECH_LEVEL, true)) told.push(now);
    }
    expect(told).toEqual([SPEECH_MS, SPEECH_MS + QUIET_AGAIN_MS]);
  });

  it('does not mind a cough or an open microphone', () => {
    const reminder = new SpeakingReminder();
    for (let now = 0; now < 5_000; now += 50) {
      expect(reminder.handleLevel(now, now % 1_000 < 100 ? 0.9 : 0, true)).toBe(false);
      expect(reminder.handleLevel(now, 1, false)).toBe(false);
    }
  });
});

describe('quality', () => {
  it('falls with loss and with standing pictures', () => {
    expect([barsOf(0, 0), barsOf(0.05, 0), barsOf(0.2, 0), barsOf(0, 0.1), barsOf(0, 0.5)]).toEqual([3, 2, 1, 2, 1]);
  });

  it('compares what came between two looks, by slot', () => {
    const report = (received: number, lost: number, at: number) => new Map<string, Record<string, unknown>>([
      ['i', { type: 'inbound-rtp', trackIdentifier: 't', packetsReceived: received, packetsLost: lost, totalFreezesDuration: 0, timestamp: at }],
      ['p', { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.04 }],
    ]);
    const tracks = new Map([['t', { use: 'video' as const, index: 3 }]]);
    const quality = compareSamples(sampleOf(report(1_000, 0, 0)), sampleOf(report(1_090, 10, 2_000)), tracks);
    expect(quality.bySlot).toEqual({ 'video-3': 2 });
    expect(quality.lossPercent).toBeCloseTo(10);
    expect(quality.roundTripMs).toBeCloseTo(40);
  });

  it('says nothing of a slot in which nothing arrives', () => {
    const sample = sampleOf(new Map([['i', { type: 'inbound-rtp', trackIdentifier: 't', packetsReceived: 5, packetsLost: 0, timestamp: 1 }]]));
    expect(compareSamples(sample, sample, new Map([['t', { use: 'video' as const, index: 0 }]])).bySlot).toEqual({});
  });
});

describe('chat', () => {
  const message = (id: string, fromId: string, toId = '') => ({ id, fromId, fromName: fromId, toId, text: id, at: 0 });

  it('shows what is to all, from me or to me', () => {
    const all = [message('1', 'a'), message('2', 'a', 'me'), message('3', 'a', 'b'), message('4', 'me', 'b')];
    expect(visibleTo(all, 'me').map(({ id }) => id)).toEqual(['1', '2', '4']);
  });

  it('counts what others wrote since the last look', () => {
    const all = [message('1', 'a'), message('2', 'a'), message('3', 'me'), message('4', 'b')];
    expect(unreadCount(all, '', 'me')).toBe(3);
    expect(unreadCount(all, '2', 'me')).toBe(1);
    expect(unreadCount(all, '4', 'me')).toBe(0);
  });

  it('sends no blanks', () => {
    expect([textToSend('  '), textToSend(' 好 ')]).toEqual([undefined, '好']);
  });
});

describe('roster', () => {
  it('puts me first, then the chair, then raised hands by time', () => {
    const people = [person('a', 5), person('h2', 6, { handUp: true, handSince: 20 }), person('h1', 7, { handUp: true, handSince: 10 }), person('chair', 8, { role: 'chair' }), person('me', 9)];
    expect(panelOrder(people, 'me').map(({ id }) => id)).toEqual(['me', 'chair', 'h1', 'h2', 'a']);
  });

  it('is searched without regard to case', () => {
    expect(searchByName([person('anna', 1), person('bert', 2)], ' NN').map(({ id }) => id)).toEqual(['anna']);
  });
});

describe('preferences', () => {
  it('come back as they were kept', () => {
    const kept = new Map<string, string>();
    const store = { get: (key: string) => kept.get(key), set: (key: string, value: string) => void kept.set(key, value) };
    const chosen = { ...DEFAULT_PREFERENCES, name: '赵敏', theme: 'dark' as const, cameraOn: false };
    savePreferences(store, chosen);
    expect(loadPreferences(store)).toEqual(chosen);
  });

  it('survive nonsense', () => {
    for (const text of ['', '{', '7', 'null', '[]', '{"name":7,"theme":"pink","cameraOn":"no"}']) {
      expect(loadPreferences({ get: () => text, set: () => undefined })).toEqual(DEFAULT_PREFERENCES);
    }
  });
});
