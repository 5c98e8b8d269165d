// One tile: a picture (or a name in its place), who it is, and what state he is in.

import { activeSource, isMuted, pinOfShare, slotKey, sourceOf, type MeetingModel, type Participant, type Tile } from '@huitang/model';
import { Hand, Maximize2, MicOff, Minimize2, ScreenShare, WifiOff } from 'lucide-react';
import type { ReactNode } from 'react';
import { useStore } from 'zustand';
import { useText } from '../i18n';
import { Avatar } from '../parts/avatar';
import { cx } from '../parts/cx';
import { QualityBars } from '../parts/quality_bars';

export interface TileFrameProps {
  readonly meeting: MeetingModel;
  readonly tile: Tile;
  /** Whom the picture shows: follows the picture itself. */
  readonly person: Participant;
  /** The source of the picture. */
  readonly source: number | undefined;
  readonly children?: ReactNode;
}

export function TileFrame({ meeting, tile, person, source, children }: TileFrameProps) {
  const isTalking = useStore(meeting.store, (state) => state.talking.has(person.id));
  const isShare = tile.content === 'share';
  const { x, y, width, height } = tile.rect;
  return (
    <div
      className={cx('ht-tile', isShare && 'ht-tile-share', isTalking && !isShare && !isMuted(person) && 'ht-tile-talking', tile.large && 'ht-tile-large', width < 200 && 'ht-tile-small')}
      style={{ left: x, top: y, width, height }}
      role="group"
      aria-label={person.name}
      data-testid="tile"
      data-participant={person.id}
      data-source={source ?? 0}
      data-name={person.name}
      data-muted={String(isMuted(person))}
      data-kind={tile.content}
    >
      <div className="ht-tile-empty">{isShare ? <ScreenShare size={64} className="ht-share-waiting" aria-hidden /> : <Avatar name={person.name} size="fill" />}</div>
      {children}
      <PausedNote meeting={meeting} tile={tile} />
      <TileCaption meeting={meeting} tile={tile} person={person} />
      <EnlargeButton meeting={meeting} tile={tile} person={person} />
    </div>
  );
}

/** Over the last picture, which stands still. */
function PausedNote({ meeting, tile }: Pick<TileFrameProps, 'meeting' | 'tile'>) {
  const t = useText();
  const isPaused = useStore(meeting.store, (state) => tile.slot !== undefined && state.paused.has(slotKey(tile.slot)));
  if (!isPaused) return null;
  return (
    <div className="ht-tile-paused" role="status">
      <span>{t('tile.paused')}</span>
    </div>
  );
}

function TileCaption({ meeting, tile, person }: Pick<TileFrameProps, 'meeting' | 'tile' | 'person'>) {
  const t = useText();
  const isMe = useStore(meeting.store, (state) => state.meId === person.id);
  const bars = useStore(meeting.store, (state) => (tile.slot === undefined ? undefined : state.quality.bySlot[`${tile.slot.use}-${tile.slot.index}`]));
  const ownBars = useStore(meeting.store, (state) => state.quality.own);
  const shownBars = isMe ? ownBars : bars;
  const name = tile.content === 'share' ? t('tile.share', { name: person.name }) : `${person.name}${isMe ? t('meeting.you') : ''}`;
  return (
    <div className="ht-caption">
      {tile.content === 'share' && <ScreenShare size={16} aria-hidden />}
      {tile.content !== 'share' && isMuted(person) && <MutedIcon person={person} />}
      {tile.content !== 'share' && person.handUp && <Hand size={16} className="ht-hand-up" role="img" aria-label={t('tile.hand')} />}
      {person.presence === 'reconnecting' && <WifiOff size={16} className="ht-warn" role="img" aria-label={t('tile.reconnecting')} />}
      <span className="ht-caption-name">{name}</span>
      {shownBars !== undefined && <QualityBars bars={shownBars} label={t(`meeting.quality.${shownBars}`, { name: person.name })} />}
    </div>
  );
}

/** The chair's mute looks different from one's own. */
export function MutedIcon({ person }: { readonly person: Participant }) {
  const t = useText();
  const label = person.mutedByChair ? t('tile.mutedByChair') : t('tile.muted');
  return (
    <span className={cx('ht-muted', person.mutedByChair && 'ht-muted-by-chair')} role="img" aria-label={label} title={label}>
      <MicOff size={16} aria-hidden />
    </span>
  );
}

function EnlargeButton({ meeting, tile, person }: Pick<TileFrameProps, 'meeting' | 'tile' | 'person'>) {
  const t = useText();
  const pin = tile.content === 'share' ? pinOfShare(person.id) : person.id;
  const isPinned = useStore(meeting.store, (state) => state.pinned === pin);
  const enlarge = tile.content === 'share' ? 'tile.enlargeShare' : 'tile.enlarge';
  return (
    <button type="button" className="ht-tile-button" aria-pressed={isPinned} aria-label={isPinned ? t('tile.restore', { name: person.name }) : t(enlarge, { name: person.name })} onClick={() => meeting.pin(pin)}>
      {isPinned ? <Minimize2 size={18} aria-hidden /> : <Maximize2 size={18} aria-hidden />}
    </button>
  );
}

/** The number that stands for a person's camera, whether it is on or not. */
export function cameraNumber(person: Participant): number | undefined {
  return activeSource(person, 'camera') ?? sourceOf(person, 'camera')?.number;
}
