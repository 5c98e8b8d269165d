// What this person sends: microphone, camera and screen. Tracks reach the node only while they are meant to be heard
// or seen, and the conference is told exactly what it was not told before.

import type { Cancel, Command, SourceKind } from '@huitang/client';
import { unreachable } from '@huitang/client';
import type { DeviceModel, DeviceState } from './device_model';
import type { ShareState } from './meeting_state';

/** What the meeting knows and does for this part. */
export interface OwnMediaPorts {
  readonly isIn: () => boolean;
  readonly isJoining: () => boolean;
  readonly mutedByChair: () => boolean;
  readonly command: (command: Command, onDone?: () => void) => void;
  readonly setTrack: (kind: SourceKind, track: MediaStreamTrack | null) => void;
  readonly shareChanged: (share: ShareState) => void;
}

interface Told {
  readonly microphone: boolean;
  readonly camera: boolean;
}

export class OwnMedia {
  private told: Told = { microphone: false, camera: false };
  private share_: ShareState = { kind: 'none' };
  private readonly unsubscribe: Cancel;

  constructor(
    private readonly devices: DeviceModel,
    private readonly ports: OwnMediaPorts,
  ) {
    this.unsubscribe = devices.store.subscribe((now, before) => this.handleDevices(now, before));
  }

  get share(): ShareState {
    return this.share_;
  }

  /** What a join says of microphone and camera. */
  beginJoin(): Told {
    const { microphone, camera, microphoneOn, cameraOn } = this.devices.store.getState();
    this.told = { microphone: microphoneOn && microphone.kind === 'open', camera: cameraOn && camera.kind === 'open' };
    return this.told;
  }

  isHeard(): boolean {
    const { microphoneOn, microphone } = this.devices.store.getState();
    return microphoneOn && microphone.kind === 'open' && !this.ports.mutedByChair();
  }

  setMicrophone(on: boolean): void {
    // Also when the microphone was on already: it may be the chair's mute that is to end.
    if (on) this.told = { ...this.told, microphone: false };
    void this.devices.setMicrophone(on).then(() => this.refresh());
    this.refresh();
  }

  /** The chair's question comes with the microphone closed. */
  handleAskedToUnmute(): void {
    this.told = { ...this.told, microphone: false };
    void this.devices.setMicrophone(false);
  }

  /** After anything that decides what may be sent. */
  refresh(): void {
    this.applyTracks();
    this.tell();
  }

  async toggleShare(): Promise<void> {
    switch (this.share_.kind) {
      case 'none':
        await this.startShare();
        return;
      case 'sharing':
        this.ports.command({ kind: 'stopShare', id: '' });
        this.endShare();
        return;
      case 'starting':
        return;
      default:
        unreachable(this.share_);
    }
  }

  endShare(): void {
    this.ports.setTrack('screen', null);
    this.ports.setTrack('screenAudio', null);
    if (this.share_.kind !== 'none') stopScreen(this.share_);
    this.enterShare({ kind: 'none' });
  }

  close(): void {
    this.unsubscribe();
    this.endShare();
  }

  private handleDevices(now: DeviceState, before: DeviceState): void {
    const isSame = now.microphone === before.microphone && now.camera === before.camera && now.microphoneOn === before.microphoneOn;
    if (!isSame) this.refresh();
  }

  private applyTracks(): void {
    const { microphone, camera, microphoneOn, cameraOn } = this.devices.store.getState();
    const maySend = this.ports.isIn() || this.ports.isJoining();
    const mayBeHeard = maySend && microphoneOn && !this.ports.mutedByChair();
    this.ports.setTrack('microphone', mayBeHeard && microphone.kind === 'open' ? microphone.track : null);
    this.ports.setTrack('camera', maySend && cameraOn && camera.kind === 'open' ? camera.track : null);
  }

  /** A device that is just opening counts as before, so that changing a camera does not blink. */
  private tell(): void {
    if (!this.ports.isIn()) return;
    const { microphone, camera, microphoneOn, cameraOn } = this.devices.store.getState();
    const before = this.told;
    const isHeard = microphoneOn && (microphone.kind === 'open' || (microphone.kind === 'opening' && before.microphone));
    const isSeen = cameraOn && (camera.kind === 'open' || (camera.kind === 'opening' && before.camera));
    this.told = { microphone: isHeard, camera: isSeen };
    if (isHeard !== before.microphone) this.ports.command({ kind: 'setMicrophone', on: isHeard });
    if (isSeen !== before.camera) this.ports.command({ kind: 'setCamera', on: isSeen });
  }

  private async startShare(): Promise<void> {
    this.enterShare({ kind: 'starting', video: undefined, audio: undefined });
    const screen = await this.devices.openScreen();
    if (screen.kind !== 'ok' || !this.ports.isIn()) {
      if (screen.kind === 'ok') stopScreen(screen);
      this.enterShare({ kind: 'none' });
      return;
    }
    const { video, audio } = screen;
    this.enterShare({ kind: 'starting', video, audio });
    video.addEventListener('ended', () => this.handleScreenEnded(video));
    this.ports.setTrack('screen', video);
    this.ports.setTrack('screenAudio', audio ?? null);
    this.ports.command({ kind: 'startShare', withAudio: audio !== undefined }, () => {
      if (this.share_.kind === 'starting') this.enterShare({ kind: 'sharing', video, audio });
    });
  }

  /** By the browser's own "stop sharing" button. */
  private handleScreenEnded(video: MediaStreamTrack): void {
    if (this.share_.kind === 'sharing' && this.share_.video === video) void this.toggleShare();
  }

  private enterShare(share: ShareState): void {
    this.share_ = share;
    this.ports.shareChanged(share);
  }
}

function stopScreen(screen: { readonly video: MediaStreamTrack | undefined; readonly audio: MediaStreamTrack | undefined }): void {
  screen.video?.stop();
  screen.audio?.stop();
}
