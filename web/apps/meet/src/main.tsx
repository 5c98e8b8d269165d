import { BrowserDevices, DeviceModel, missingFeature } from '@huitang/model';
import { applyTheme, chooseLanguage, startTexts, UnsuitedBrowserPage } from '@huitang/ui';
import { createRoot } from 'react-dom/client';
import { browserStore } from './browser_store';
import { ConferenceApp, openMeeting } from './conference_app';
import { keepInvite } from './invite_memory';
import { LandingApp } from './landing_app';
import { routeOf } from './route';

function start(root: HTMLElement): void {
  const devices = new DeviceModel(new BrowserDevices(), browserStore);
  const { language, theme } = devices.store.getState().preferences;
  applyTheme(theme);
  startTexts(chooseLanguage([language, ...navigator.languages]));
  createRoot(root).render(pageFor(devices));
}

function pageFor(devices: DeviceModel) {
  const route = routeOf(location);
  if (route.page === 'landing') return <LandingApp devices={devices} />;
  const missing = missingFeature();
  if (missing !== undefined) return <UnsuitedBrowserPage devices={devices} missing={missing} />;
  const invite = keepInvite(sessionStorage, route.number, route.invite);
  if (route.invite !== '') history.replaceState(null, '', location.pathname);
  return <ConferenceApp meeting={openMeeting({ number: route.number, invite }, devices)} number={route.number} />;
}

const root = document.getElementById('root');
if (root !== null) start(root);
