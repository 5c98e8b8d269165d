// The person's own microphone, camera, loudspeaker and screen: what is open, what failed and why, what was chosen.
// It holds the tracks; who hears them is the meeting's business (`onTracks`).

import type { Cancel, Captured, DeviceError, DeviceInfo, DeviceKind, Devices } from '@huitang/client';
import { unreachable } from '@huitang/client';
import { createStore, type StoreApi } from 'zustand/vanilla';
import { loadPreferences, savePreferences, type KeyValueStore, type Preferences } from './preferences';

export type DeviceStatus =
  | { readonly kind: 'closed' }
  | { readonly kind: 'opening' }
  | { readonly kind: 'open'; readonly track: MediaStreamTrack }
  | { readonly kind: 'failed'; readonly error: DeviceError };

export interface DeviceState {
  readonly microphone: DeviceStatus;
  readonly camera: DeviceStatus;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  readonly level: number;
  readonly list: readonly DeviceInfo[];
  readonly preferences: Preferences;
  readonly testingSpeaker: boolean;
}

const CLOSED: DeviceStatus = { kind: 'closed' };

export class DeviceModel {
  readonly store: StoreApi<DeviceState>;
  private stopMeter: Cancel | undefined;
  private readonly stopWatching: Cancel;
  private cameraRequest = 0;
  private microphoneRequest = 0;
  private readonly levelListeners = new Set<(level: number) => void>();

  constructor(
    private readonly devices: Devices,
    private readonly keep: KeyValueStore,
  ) {
    const preferences = loadPreferences(keep);
    this.store = createStore<DeviceState>(() => ({
      microphone: CLOSED,
      camera: CLOSED,
      microphoneOn: preferences.microphoneOn,
      cameraOn: preferences.cameraOn,
      level: 0,
      list: [],
      preferences,
      testingSpeaker: false,
    }));
    this.stopWatching = devices.onChange(() => void this.refreshList());
  }

  get canShareScreen(): boolean {
    return this.devices.canShareScreen;
  }

  get canChooseSpeaker(): boolean {
    return this.devices.canChooseSpeaker;
  }

  /** One question for what is switched on. */
  async open(): Promise<void> {
    const { microphoneOn, cameraOn } = this.store.getState();
    if (microphoneOn && cameraOn) await this.openBoth();
    else if (cameraOn) await this.openCamera();
    else await this.openMicrophone();
    await this.refreshList();
  }

  async setMicrophone(on: boolean): Promise<void> {
    this.store.setState({ microphoneOn: on });
    this.prefer({ microphoneOn: on });
    if (on && this.store.getState().microphone.kind !== 'open') await this.openMicrophone();
  }

  async setCamera(on: boolean): Promise<void> {
    this.store.setState({ cameraOn: on });
    this.prefer({ cameraOn: on });
    if (on) await this.openCamera();
    else this.closeCamera();
  }

  async choose(kind: DeviceKind, id: string): Promise<void> {
    switch (kind) {
      case 'microphone':
        this.prefer({ microphoneId: id });
        await this.openMicrophone();
        return;
      case 'camera':
        this.prefer({ cameraId: id });
        if (this.store.getState().cameraOn) await this.openCamera();
        return;
      case 'speaker':
        this.prefer({ speakerId: id });
        return;
      default:
        unreachable(kind);
    }
  }

  prefer(change: Partial<Preferences>): void {
    const preferences = { ...this.store.getState().preferences, ...change };
    savePreferences(this.keep, preferences);
    this.store.setState({ preferences });
  }

  async testSpeaker(): Promise<void> {
    this.store.setState({ testingSpeaker: true });
    await this.devices.playTestTone(this.store.getState().preferences.speakerId).catch(() => undefined);
    this.store.setState({ testingSpeaker: false });
  }

  openScreen() {
    return this.devices.openScreen();
  }

  onLevel(listener: (level: number) => void): Cancel {
    this.levelListeners.add(listener);
    return () => this.levelListeners.delete(listener);
  }

  /** Everything off; the lamp of the camera goes out. */
  close(): void {
    this.closeCamera();
    this.microphoneRequest++;
    this.stopMeter?.();
    this.stopMeter = undefined;
    stopTrack(this.store.getState().microphone);
    this.store.setState({ microphone: CLOSED, level: 0 });
    this.stopWatching();
  }

  private async openBoth(): Promise<void> {
    const microphoneRequest = ++this.microphoneRequest;
    const cameraRequest = ++this.cameraRequest;
    this.store.setState({ microphone: { kind: 'opening' }, camera: { kind: 'opening' } });
    const { microphoneId, cameraId } = this.store.getState().preferences;
    const { microphone, camera } = await this.devices.openBoth(microphoneId, cameraId);
    this.takeMicrophone(microphoneRequest, microphone);
    this.takeCamera(cameraRequest, camera);
  }

  private async openMicrophone(): Promise<void> {
    const request = ++this.microphoneRequest;
    const before = this.store.getState().microphone;
    this.store.setState({ microphone: { kind: 'opening' } });
    this.takeMicrophone(request, await this.devices.openMicrophone(this.store.getState().preferences.microphoneId));
    stopTrack(before);
    await this.refreshList();
  }

  private async openCamera(): Promise<void> {
    const request = ++this.cameraRequest;
    const before = this.store.getState().camera;
    this.store.setState({ camera: { kind: 'opening' } });
    // Some cameras cannot be opened twice: the old track ends first.
    stopTrack(before);
    this.takeCamera(request, await this.devices.openCamera(this.store.getState().preferences.cameraId));
    await this.refreshList();
  }

  private takeMicrophone(request: number, captured: Captured): void {
    if (request !== this.microphoneRequest) {
      stopCaptured(captured);
      return;
    }
    this.stopMeter?.();
    this.stopMeter = undefined;
    if (captured.kind === 'failed') {
      this.store.setState({ microphone: { kind: 'failed', error: captured.error }, level: 0 });
      return;
    }
    const { track } = captured;
    track.addEventListener('ended', () => this.handleEnded('microphone', track));
    this.stopMeter = this.devices.measure(track, (level) => this.handleLevel(level));
    this.store.setState({ microphone: { kind: 'open', track } });
  }

  private takeCamera(request: number, captured: Captured): void {
    if (request !== this.cameraRequest || !this.store.getState().cameraOn) {
      stopCaptured(captured);
      return;
    }
    if (captured.kind === 'failed') {
      this.store.setState({ camera: { kind: 'failed', error: captured.error } });
      return;
    }
    const { track } = captured;
    track.addEventListener('ended', () => this.handleEnded('camera', track));
    this.store.setState({ camera: { kind: 'open', track } });
  }

  /** Unplugged, or taken by the system. */
  private handleEnded(which: 'microphone' | 'camera', track: MediaStreamTrack): void {
    const status = this.store.getState()[which];
    if (status.kind === 'open' && status.track === track) this.store.setState({ [which]: { kind: 'failed', error: 'absent' } });
  }

  private closeCamera(): void {
    this.cameraRequest++;
    stopTrack(this.store.getState().camera);
    this.store.setState({ camera: CLOSED });
  }

  private handleLevel(level: number): void {
    this.store.setState({ level });
    for (const listener of this.levelListeners) listener(level);
  }

  private async refreshList(): Promise<void> {
    const list = await this.devices.list().catch(() => []);
    this.store.setState({ list });
  }
}

function stopTrack(status: DeviceStatus): void {
  if (status.kind === 'open') status.track.stop();
}

function stopCaptured(captured: Captured): void {
  if (captured.kind === 'ok') captured.track.stop();
}

/** The choice for one kind of device: real ones only, the chosen one marked. */
export function choicesOf(state: DeviceState, kind: DeviceKind): readonly DeviceInfo[] {
  return state.list.filter((info) => info.kind === kind && info.id !== '');
}
