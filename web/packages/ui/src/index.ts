import './styles/index.css';

export { chooseLanguage, setLanguage, startTexts, useText, type Language } from './i18n';
export { JoinPage } from './join/join_page';
export { LandingPage } from './landing/landing_page';
export { OutPage, UnsuitedBrowserPage } from './meeting/out_page';
export { applyTheme } from './theme';
