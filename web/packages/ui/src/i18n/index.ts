// Texts. i18next does the work; this file types its keys and ties it to React.

import { createInstance } from 'i18next';
import { useSyncExternalStore } from 'react';
import { en } from './en';
import { zhCN, type TextKey } from './zh_cn';

export type { TextKey };
export type Language = 'zh-CN' | 'en';
export type TextValues = Readonly<Record<string, string | number>>;
export type Translate = (key: TextKey, values?: TextValues) => string;

export const LANGUAGES: readonly { readonly code: Language; readonly name: string }[] = [
  { code: 'zh-CN', name: '中文' },
  { code: 'en', name: 'English' },
];

const i18n = createInstance();

/** The first language of the browser that we have; Chinese when there is none. */
export function chooseLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    if (/^zh\b/i.test(tag)) return 'zh-CN';
    if (/^en\b/i.test(tag)) return 'en';
  }
  return 'zh-CN';
}

export function startTexts(language: Language): void {
  void i18n.init({
    lng: language,
    fallbackLng: 'zh-CN',
    keySeparator: false,
    nsSeparator: false,
    initAsync: false,
    interpolation: { escapeValue: false }, // React escapes
    resources: { 'zh-CN': { translation: zhCN }, en: { translation: en } },
  });
  document.documentElement.lang = language;
}

export function setLanguage(language: Language): void {
  document.documentElement.lang = language;
  void i18n.changeLanguage(language);
}

function subscribe(changed: () => void): () => void {
  i18n.on('languageChanged', changed);
  return () => i18n.off('languageChanged', changed);
}

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, () => (i18n.language === 'en' ? 'en' : 'zh-CN'));
}

const translate: Translate = (key, values) => i18n.t(key, { ...values });

/** Re-renders when the language changes. */
export function useText(): Translate {
  useLanguage();
  return translate;
}
