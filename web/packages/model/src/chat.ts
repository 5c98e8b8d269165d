// Chat as one person sees it.

import type { ChatMessage } from '@huitang/client';

export const LONGEST_TEXT = 2_000;

/** What is to all, from me or to me. */
export function visibleTo(messages: readonly ChatMessage[], meId: string): ChatMessage[] {
  return messages.filter((message) => message.toId === '' || message.toId === meId || message.fromId === meId);
}

/** Messages of others after the last one read. */
export function unreadCount(messages: readonly ChatMessage[], lastReadId: string, meId: string): number {
  const readUpTo = messages.findIndex((message) => message.id === lastReadId);
  return messages.slice(readUpTo + 1).filter((message) => message.fromId !== meId).length;
}

/** The text as it will be sent, or undefined when there is nothing to send. */
export function textToSend(typed: string): string | undefined {
  const text = typed.trim().slice(0, LONGEST_TEXT);
  return text === '' ? undefined : text;
}
