// Cameras, microphones and loudspeakers as the models see them; browser/browser_devices.ts is the real thing.

import type { Cancel } from './environment';

export type DeviceKind = 'microphone' | 'camera' | 'speaker';

export interface DeviceInfo {
  readonly kind: DeviceKind;
  readonly id: string;
  /** Empty until the person has allowed the use of devices. */
  readonly label: string;
}

/** Why a device could not be opened; each has its own plain words on the pages. */
export type DeviceError = 'denied' | 'absent' | 'busy' | 'insecure' | 'unsupported' | 'unknown';

export type Captured = { readonly kind: 'ok'; readonly track: MediaStreamTrack } | { readonly kind: 'failed'; readonly error: DeviceError };

export type CapturedScreen =
  | { readonly kind: 'ok'; readonly video: MediaStreamTrack; readonly audio: MediaStreamTrack | undefined }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly error: DeviceError };

export interface Devices {
  list(): Promise<readonly DeviceInfo[]>;
  /** One question to the person for both. `deviceId` may be empty. */
  openBoth(microphoneId: string, cameraId: string): Promise<{ microphone: Captured; camera: Captured }>;
  openMicrophone(deviceId: string): Promise<Captured>;
  openCamera(deviceId: string): Promise<Captured>;
  openScreen(): Promise<CapturedScreen>;
  readonly canShareScreen: boolean;
  readonly canChooseSpeaker: boolean;
  onChange(run: () => void): Cancel;
  /** Calls back about twenty times a second with the level of a track, 0 to 1. */
  measure(track: MediaStreamTrack, onLevel: (level: number) => void): Cancel;
  /** A short tone on a loudspeaker. */
  playTestTone(speakerId: string): Promise<void>;
}
