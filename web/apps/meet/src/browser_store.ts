import type { KeyValueStore } from '@huitang/model';

/** localStorage, or nothing where it is switched off. */
export const browserStore: KeyValueStore = {
  get: (key) => {
    try {
      return localStorage.getItem(key) ?? undefined;
    } catch {
      return undefined;
    }
  },
  set: (key, value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // A full or forbidden store only costs the memory of choices.
    }
  },
};
