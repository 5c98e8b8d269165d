// Plays the slots of the real PeerConnection: one <audio> element for each audio slot, kept for the whole meeting,
// and whatever <video> elements the page attaches. Sound does not hang on a picture's element: a <video> without a
// first frame would hold its sound back. Lip sync comes from the shared msid of a pair, not from shared elements.

import type { SourceNumber } from '../domain';
import type { Cancel } from '../environment';
import { sourceOfFrame } from '../frame_source';
import type { SlotReceivers } from '../media_peer';
import type { SlotId, SlotPlayer } from '../slot_player';

/** Where a browser has no frame callbacks, names are looked up this often. */
const POLL_MS = 100;

/** The longest side of a kept picture: it stands for a moment only. */
const KEPT_SIDE = 640;

interface Attachment {
  readonly slot: SlotId;
  readonly video: HTMLVideoElement;
  readonly onSource: (source: SourceNumber | undefined) => void;
  stop: Cancel;
}

function followFrames(video: HTMLVideoElement, look: (frameTimestamp: number | undefined) => void): Cancel {
  if (typeof video.requestVideoFrameCallback !== 'function') {
    const timer = setInterval(() => look(undefined), POLL_MS);
    return () => clearInterval(timer);
  }
  let handle = 0;
  const onFrame: VideoFrameRequestCallback = (_now, frame) => {
    handle = video.requestVideoFrameCallback(onFrame);
    look(frame.rtpTimestamp);
  };
  handle = video.requestVideoFrameCallback(onFrame);
  return () => video.cancelVideoFrameCallback(handle);
}

/** An element that gets another track shows its last picture until that track's first one. */
function keepPicture(video: HTMLVideoElement): void {
  if (video.videoWidth === 0) return;
  const scale = Math.min(1, KEPT_SIDE / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height);
  video.poster = canvas.toDataURL('image/jpeg', 0.7);
}

export class BrowserSlotPlayer implements SlotPlayer {
  private receivers: SlotReceivers = { audio: [], video: [], share: [] };
  private readonly attachments = new Set<Attachment>();
  private readonly sounds: HTMLAudioElement[] = [];
  private speakerId = '';
  private blocked: (blocked: boolean) => void = () => undefined;

  constructor(private readonly soundHost: HTMLElement) {}

  use(receivers: SlotReceivers): void {
    this.receivers = receivers;
    receivers.audio.forEach((receiver, k) => {
      const sound = (this.sounds[k] ??= this.createSound());
      sound.srcObject = new MediaStream([receiver.track]);
      this.play(sound);
    });
    for (const attachment of this.attachments) {
      keepPicture(attachment.video);
      this.connect(attachment);
    }
  }

  attach(slot: SlotId, video: HTMLVideoElement, onSource: (source: SourceNumber | undefined) => void): Cancel {
    const attachment: Attachment = { slot, video, onSource, stop: () => undefined };
    this.attachments.add(attachment);
    this.connect(attachment);
    return () => {
      attachment.stop();
      this.attachments.delete(attachment);
      video.srcObject = null;
      video.removeAttribute('poster');
    };
  }

  setSpeaker(deviceId: string): void {
    this.speakerId = deviceId;
    for (const sound of this.sounds) this.applySpeaker(sound);
  }

  resume(): void {
    for (const sound of this.sounds) this.play(sound);
  }

  onBlocked(run: (blocked: boolean) => void): void {
    this.blocked = run;
  }

  close(): void {
    for (const attachment of this.attachments) attachment.stop();
    this.attachments.clear();
    for (const sound of this.sounds) {
      sound.srcObject = null;
      sound.remove();
    }
    this.sounds.length = 0;
  }

  private createSound(): HTMLAudioElement {
    const sound = new Audio();
    sound.autoplay = true;
    this.soundHost.append(sound);
    this.applySpeaker(sound);
    return sound;
  }

  private applySpeaker(sound: HTMLAudioElement): void {
    if (typeof sound.setSinkId === 'function') void sound.setSinkId(this.speakerId).catch(() => undefined);
  }

  private play(sound: HTMLAudioElement): void {
    sound.play().then(
      () => this.blocked(false),
      (error: unknown) => {
        if (error instanceof Error && error.name === 'NotAllowedError') this.blocked(true);
      },
    );
  }

  private connect(attachment: Attachment): void {
    attachment.stop();
    attachment.onSource(undefined);
    const receiver = this.receivers[attachment.slot.use][attachment.slot.index];
    const { video } = attachment;
    if (receiver === undefined) {
      video.srcObject = null;
      return;
    }
    video.srcObject = new MediaStream([receiver.track]);
    void video.play().catch(() => undefined);
    let shown: SourceNumber | undefined;
    attachment.stop = followFrames(video, (frameTimestamp) => {
      if (video.poster !== '' && video.videoWidth > 0) video.removeAttribute('poster');
      const source = sourceOfFrame(receiver.getContributingSources?.() ?? [], frameTimestamp);
      if (source === undefined || source === shown) return;
      shown = source;
      attachment.onSource(source);
    });
  }
}
