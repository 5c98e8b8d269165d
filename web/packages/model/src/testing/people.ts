// Participants for tests.

import type { Participant } from '@huitang/client';

export function person(id: string, base: number, change: Partial<Participant> = {}): Participant {
  const cameraOn = change.cameraOn ?? true;
  return {
    id,
    name: id.toUpperCase(),
    role: 'participant',
    presence: 'in',
    leftReason: 'unknown',
    mutedBySelf: false,
    mutedByChair: false,
    cameraOn,
    handUp: false,
    handSince: 0,
    sharing: false,
    joinedAt: base,
    sources: [
      { number: base, kind: 'microphone', active: true },
      { number: base + 1, kind: 'camera', active: cameraOn },
      { number: base + 2, kind: 'screen', active: change.sharing ?? false },
      { number: base + 3, kind: 'screenAudio', active: false },
    ],
    ...change,
  };
}
