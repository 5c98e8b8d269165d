// What a person chose last time, kept by the browser. Every value may be missing or nonsense.

export interface KeyValueStore {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

export type Theme = 'system' | 'light' | 'dark';

export interface Preferences {
  readonly name: string;
  readonly microphoneId: string;
  readonly cameraId: string;
  readonly speakerId: string;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  readonly mirrorSelf: boolean;
  readonly hideSelf: boolean;
  readonly theme: Theme;
  /** Empty: as the browser says. */
  readonly language: string;
}

export const DEFAULT_PREFERENCES: Preferences = {
  name: '',
  microphoneId: '',
  cameraId: '',
  speakerId: '',
  microphoneOn: true,
  cameraOn: true,
  mirrorSelf: true,
  hideSelf: false,
  theme: 'system',
  language: '',
};

const KEY = 'huitang.preferences';

function parse(text: string | undefined): Partial<Record<keyof Preferences, unknown>> {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

export function loadPreferences(store: KeyValueStore): Preferences {
  const stored = parse(store.get(KEY));
  const text = (key: 'name' | 'microphoneId' | 'cameraId' | 'speakerId' | 'language'): string => {
    const value = stored[key];
    return typeof value === 'string' ? value.slice(0, 256) : DEFAULT_PREFERENCES[key];
  };
  const flag = (key: 'microphoneOn' | 'cameraOn' | 'mirrorSelf' | 'hideSelf'): boolean => {
    const value = stored[key];
    return typeof value === 'boolean' ? value : DEFAULT_PREFERENCES[key];
  };
  return {
    name: text('name'),
    microphoneId: text('microphoneId'),
    cameraId: text('cameraId'),
    speakerId: text('speakerId'),
    microphoneOn: flag('microphoneOn'),
    cameraOn: flag('cameraOn'),
    mirrorSelf: flag('mirrorSelf'),
    hideSelf: flag('hideSelf'),
    theme: stored.theme === 'light' || stored.theme === 'dark' ? stored.theme : 'system',
    language: text('language'),
  };
}

export function savePreferences(store: KeyValueStore, preferences: Preferences): void {
  store.set(KEY, JSON.stringify(preferences));
}
