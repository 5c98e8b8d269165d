import { useEffect, useRef } from 'react';

/** A local track in a muted <video>. */
export function TrackVideo({ track, className, label }: { readonly track: MediaStreamTrack; readonly className?: string; readonly label?: string }) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (video === null) return;
    video.srcObject = new MediaStream([track]);
    void video.play().catch(() => undefined);
    return () => {
      video.srcObject = null;
    };
  }, [track]);
  return <video ref={element} className={className} muted playsInline autoPlay disablePictureInPicture aria-label={label} aria-hidden={label === undefined} />;
}
