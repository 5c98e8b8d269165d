import type { MeetingModel, SlotId } from '@huitang/model';
import { useEffect, useRef } from 'react';

/** The <video> of one slot; it stays for the whole meeting, wherever its tile goes. */
export function SlotVideo({ meeting, slot, visible, fit }: { readonly meeting: MeetingModel; readonly slot: SlotId; readonly visible: boolean; readonly fit: 'cover' | 'contain' }) {
  const element = useRef<HTMLVideoElement>(null);
  const { use, index } = slot;
  useEffect(() => {
    const video = element.current;
    return video === null ? undefined : meeting.attach({ use, index }, video);
  }, [meeting, use, index]);
  return <video ref={element} className={`ht-tile-video ht-fit-${fit}${visible ? '' : ' ht-unseen'}`} muted playsInline autoPlay disablePictureInPicture aria-hidden="true" />;
}
