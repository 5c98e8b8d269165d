// "You are speaking while muted": says so after half a second of speech, and then not again for a while.

export const SPEECH_LEVEL = 0.45;
export const SPEECH_MS = 500;
export const QUIET_AGAIN_MS = 20_000;
const PAUSE_MS = 250;

export class SpeakingReminder {
  private speakingSince: number | undefined;
  private lastLoud = -Infinity;
  private remindedAt = -Infinity;

  /** One level measurement; true at the moment the person should be told. */
  handleLevel(now: number, level: number, muted: boolean): boolean {
    if (!muted) {
      this.speakingSince = undefined;
      return false;
    }
    if (level >= SPEECH_LEVEL) {
      this.lastLoud = now;
      this.speakingSince ??= now;
    } else if (now - this.lastLoud > PAUSE_MS) {
      this.speakingSince = undefined;
    }
    if (this.speakingSince === undefined || now - this.speakingSince < SPEECH_MS || now - this.remindedAt < QUIET_AGAIN_MS) return false;
    this.remindedAt = now;
    return true;
  }
}
