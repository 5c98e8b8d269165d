// The two HTTP calls of the landing page.

import { parseBoot, parseCreateConferenceResponse, writeCreateConferenceRequest, type JsonValue } from '@huitang/protocol';

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export interface BootInfo {
  readonly demo: boolean;
  readonly version: string;
  readonly mayCreate: boolean;
}

export interface CreatedConference {
  readonly number: string;
  readonly link: string;
  readonly chairLink: string;
}

export async function fetchBoot(fetch: Fetch): Promise<BootInfo> {
  const response = await fetch('/api/boot.json', { credentials: 'same-origin' });
  if (!response.ok) throw new Error(`boot: HTTP ${response.status}`);
  const boot = parseBoot((await response.json()) as JsonValue);
  return { demo: boot.demo, version: boot.version, mayCreate: boot.mayCreate };
}

export async function createConference(fetch: Fetch, title: string): Promise<CreatedConference> {
  const response = await fetch('/huitang.v1.ConferenceService/CreateConference', {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json', 'Connect-Protocol-Version': '1' },
    body: writeCreateConferenceRequest(title),
  });
  if (!response.ok) throw new Error(`create: HTTP ${response.status}`);
  const created = parseCreateConferenceResponse((await response.json()) as JsonValue);
  return { number: created.number, link: created.link, chairLink: created.chairLink };
}
