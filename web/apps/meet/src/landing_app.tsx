import { createConference, fetchBoot, type BootInfo, type DeviceModel } from '@huitang/model';
import { LandingPage } from '@huitang/ui';
import { useEffect, useState } from 'react';
import { pathOf } from './route';

const request: typeof fetch = (input, init) => fetch(input, init);

export function LandingApp({ devices }: { readonly devices: DeviceModel }) {
  const [boot, setBoot] = useState<BootInfo>();
  const [starting, setStarting] = useState<'no' | 'yes' | 'failed'>('no');
  useEffect(() => {
    fetchBoot(request).then(setBoot, () => undefined);
  }, []);
  const start = () => {
    setStarting('yes');
    createConference(request, '').then(
      (created) => location.assign(pathOf(created.chairLink || created.link)),
      () => setStarting('failed'),
    );
  };
  return <LandingPage devices={devices} boot={boot} starting={starting} onStart={start} onEnter={(number) => location.assign(`/j/${number}`)} />;
}
