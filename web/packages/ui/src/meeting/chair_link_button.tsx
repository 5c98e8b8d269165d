import { isChair, meOf, type MeetingModel } from '@huitang/model';
import { KeyRound } from 'lucide-react';
import { useStore } from 'zustand';
import { useText } from '../i18n';
import { Button } from '../parts/button';

/** The token leaves the address bar on entry, so whoever is to be chair as well gets the link from here. */
export function ChairLinkButton({ meeting, onCopy }: { readonly meeting: MeetingModel; readonly onCopy: () => void }) {
  const t = useText();
  const isMeChair = useStore(meeting.store, (state) => isChair(meOf(state)));
  if (!isMeChair || !meeting.hasChairLink()) return null;
  return (
    <Button testId="copy-chair-link" icon={<KeyRound size={18} aria-hidden />} onClick={onCopy}>
      {t('meeting.copyChairLink')}
    </Button>
  );
}
