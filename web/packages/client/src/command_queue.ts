// Commands on their way: each has an id that makes a repeat harmless, stays here until it is answered, and is sent
// again after a reconnect. A session that is lost takes its ids along: what was sent and not answered then, and does
// not only say what should hold, may have been carried out or not; it ends as `unknown`, never twice. Of a wish that only says what should hold in the end (own microphone, camera, hand, lock)
// only the newest waits.

import type { Command, Refusal } from './domain';

export const LONGEST_QUEUE = 64;

export type CommandOutcome = { readonly kind: 'done' } | { readonly kind: 'refused'; readonly refusal: Refusal } | { readonly kind: 'unknown' } | { readonly kind: 'dropped' };

export interface PendingCommand {
  readonly id: string;
  readonly command: Command;
  readonly done: (outcome: CommandOutcome) => void;
}

function isState(command: Command): boolean {
  return command.kind === 'setMicrophone' || command.kind === 'setCamera' || command.kind === 'setHand' || command.kind === 'setLock';
}

export class CommandQueue {
  private pending: PendingCommand[] = [];
  private readonly sent = new Set<string>();

  /** False when the queue is full; then nothing was added. */
  add(entry: PendingCommand, isSent: boolean): boolean {
    if (!isSent && isState(entry.command)) this.drop((other) => other.command.kind === entry.command.kind);
    if (this.pending.length >= LONGEST_QUEUE) return false;
    this.pending.push(entry);
    if (isSent) this.sent.add(entry.id);
    return true;
  }

  markSent(id: string): void {
    this.sent.add(id);
  }

  /** Another session goes on: ends what nobody can know the outcome of, and gives it, oldest first. */
  forgetSession(): readonly Command[] {
    const unknown = this.pending.filter((entry) => this.sent.has(entry.id) && !isState(entry.command));
    for (const { id } of unknown) this.finish(id, { kind: 'unknown' });
    return unknown.map((entry) => entry.command);
  }

  finish(id: string, outcome: CommandOutcome): void {
    const entry = this.pending.find((candidate) => candidate.id === id);
    this.pending = this.pending.filter((candidate) => candidate.id !== id);
    this.sent.delete(id);
    entry?.done(outcome);
  }

  /** Everything unanswered, oldest first. */
  all(): readonly PendingCommand[] {
    return this.pending;
  }

  clear(): void {
    this.drop(() => true);
  }

  private drop(which: (entry: PendingCommand) => boolean): void {
    const dropped = this.pending.filter(which);
    this.pending = this.pending.filter((entry) => !which(entry));
    for (const entry of dropped) {
      this.sent.delete(entry.id);
      entry.done({ kind: 'dropped' });
    }
  }
}
