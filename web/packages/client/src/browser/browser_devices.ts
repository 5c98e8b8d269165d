// The page's real cameras, microphones, loudspeakers and screens.

import type { Captured, CapturedScreen, DeviceError, DeviceInfo, DeviceKind, Devices } from '../devices';
import { measureLevel, sharedAudioContext } from './level_meter';

const KINDS: Readonly<Record<MediaDeviceKind, DeviceKind>> = { audioinput: 'microphone', videoinput: 'camera', audiooutput: 'speaker' };

function microphoneConstraints(deviceId: string): MediaTrackConstraints {
  return { ...(deviceId === '' ? {} : { deviceId: { ideal: deviceId } }), echoCancellation: true, noiseSuppression: true, autoGainControl: true };
}

function cameraConstraints(deviceId: string): MediaTrackConstraints {
  return { ...(deviceId === '' ? {} : { deviceId: { ideal: deviceId } }), width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
}

function classify(error: unknown): DeviceError {
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'absent';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'unknown';
  }
}

function failed(error: DeviceError): Captured {
  return { kind: 'failed', error };
}

function captured(track: MediaStreamTrack | undefined, hint: string): Captured {
  if (track === undefined) return failed('absent');
  if ('contentHint' in track) track.contentHint = hint;
  return { kind: 'ok', track };
}

async function open(constraints: MediaStreamConstraints, hint: string): Promise<Captured> {
  // Browsers hide the whole interface from pages that came without a trusted certificate.
  if (navigator.mediaDevices === undefined) return failed('insecure');
  try {
    const stream = await navigator.mediaDevices.getUserMedia(constraints);
    return captured(stream.getTracks()[0], hint);
  } catch (error) {
    return failed(classify(error));
  }
}

export class BrowserDevices implements Devices {
  readonly canShareScreen = typeof navigator.mediaDevices?.getDisplayMedia === 'function';
  readonly canChooseSpeaker = 'setSinkId' in HTMLMediaElement.prototype;

  async list(): Promise<readonly DeviceInfo[]> {
    const infos = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return infos.map((info) => ({ kind: KINDS[info.kind], id: info.deviceId, label: info.label }));
  }

  async openBoth(microphoneId: string, cameraId: string): Promise<{ microphone: Captured; camera: Captured }> {
    if (navigator.mediaDevices === undefined) return { microphone: failed('insecure'), camera: failed('insecure') };
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: microphoneConstraints(microphoneId), video: cameraConstraints(cameraId) });
      return { microphone: captured(stream.getAudioTracks()[0], 'speech'), camera: captured(stream.getVideoTracks()[0], 'motion') };
    } catch {
      // One of the two is missing, busy or refused; asking for each tells which.
      return { microphone: await this.openMicrophone(microphoneId), camera: await this.openCamera(cameraId) };
    }
  }

  openMicrophone(deviceId: string): Promise<Captured> {
    return open({ audio: microphoneConstraints(deviceId) }, 'speech');
  }

  openCamera(deviceId: string): Promise<Captured> {
    return open({ video: cameraConstraints(deviceId) }, 'motion');
  }

  async openScreen(): Promise<CapturedScreen> {
    if (!this.canShareScreen) return { kind: 'failed', error: 'unsupported' };
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({
        video: { frameRate: { ideal: 15, max: 30 } },
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      const video = stream.getVideoTracks()[0];
      if (video === undefined) return { kind: 'failed', error: 'absent' };
      if ('contentHint' in video) video.contentHint = 'detail';
      return { kind: 'ok', video, audio: stream.getAudioTracks()[0] };
    } catch (error) {
      // Closing the browser's picker is the same error as a refusal; neither needs an explanation.
      const reason = classify(error);
      return reason === 'denied' ? { kind: 'cancelled' } : { kind: 'failed', error: reason };
    }
  }

  onChange(run: () => void): () => void {
    navigator.mediaDevices?.addEventListener('devicechange', run);
    return () => navigator.mediaDevices?.removeEventListener('devicechange', run);
  }

  measure(track: MediaStreamTrack, onLevel: (level: number) => void): () => void {
    return measureLevel(track, onLevel);
  }

  async playTestTone(speakerId: string): Promise<void> {
    const context = sharedAudioContext();
    const output = context.createMediaStreamDestination();
    const gain = context.createGain();
    gain.connect(output);
    const audio = new Audio();
    audio.srcObject = output.stream;
    if (speakerId !== '' && this.canChooseSpeaker) await audio.setSinkId(speakerId).catch(() => undefined);
    await audio.play();
    await playChime(context, gain);
    audio.srcObject = null;
  }
}

/** Three soft notes upward, a second in all. */
function playChime(context: AudioContext, gain: GainNode): Promise<void> {
  const start = context.currentTime + 0.05;
  const notes = [523.25, 659.25, 783.99];
  const length = 0.3;
  const oscillators = notes.map((frequency, n) => {
    const oscillator = context.createOscillator();
    oscillator.frequency.value = frequency;
    oscillator.connect(gain);
    oscillator.start(start + n * length);
    oscillator.stop(start + (n + 1) * length);
    gain.gain.setValueAtTime(0, start + n * length);
    gain.gain.linearRampToValueAtTime(0.25, start + n * length + 0.03);
    gain.gain.linearRampToValueAtTime(0, start + (n + 1) * length);
    return oscillator;
  });
  return new Promise((resolve) => {
    const last = oscillators[oscillators.length - 1];
    if (last === undefined) resolve();
    else last.onended = () => resolve();
  });
}
