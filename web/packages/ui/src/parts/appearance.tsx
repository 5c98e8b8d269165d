import type { DeviceModel, Theme } from '@huitang/model';
import { Languages, SunMoon } from 'lucide-react';
import { useStore } from 'zustand';
import { LANGUAGES, setLanguage, useLanguage, useText, type Language } from '../i18n';
import { applyTheme } from '../theme';
import { Select } from './select';

export function LanguageSelect({ devices }: { readonly devices: DeviceModel }) {
  const t = useText();
  const language = useLanguage();
  const choose = (value: string) => {
    const code: Language = value === 'en' ? 'en' : 'zh-CN';
    devices.prefer({ language: code });
    setLanguage(code);
  };
  const options = LANGUAGES.map(({ code, name }) => ({ value: code, label: name }));
  return <Select label={t('app.language')} hideLabel icon={<Languages size={18} aria-hidden />} value={language} options={options} onChange={choose} />;
}

export function ThemeSelect({ devices }: { readonly devices: DeviceModel }) {
  const t = useText();
  const theme = useStore(devices.store, (state) => state.preferences.theme);
  const choose = (value: string) => {
    const chosen: Theme = value === 'light' || value === 'dark' ? value : 'system';
    devices.prefer({ theme: chosen });
    applyTheme(chosen);
  };
  const options = [
    { value: 'system', label: t('app.theme.system') },
    { value: 'light', label: t('app.theme.light') },
    { value: 'dark', label: t('app.theme.dark') },
  ];
  return <Select label={t('app.theme')} hideLabel icon={<SunMoon size={18} aria-hidden />} value={theme} options={options} onChange={choose} />;
}
