// The stage: tiles at the places that the model has planned. The pictures of slots keep their elements for the
// whole meeting (keyed by slot); tiles without a picture are keyed by person.

import { ownerOf, slotKey, type MeetingModel, type Participant, type SlotId, type Tile } from '@huitang/model';
import { ChevronLeft, ChevronRight } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { useStore } from 'zustand';
import { useText } from '../i18n';
import { IconButton } from '../parts/button';
import { cx } from '../parts/cx';
import { TrackVideo } from '../parts/track_video';
import { SlotVideo } from './slot_video';
import { cameraNumber, TileFrame } from './tile_view';

const VIDEO_SLOTS = 28;
const SHARE_SLOTS = 2;

const SLOTS: readonly SlotId[] = [
  ...Array.from({ length: VIDEO_SLOTS }, (_, index) => ({ use: 'video' as const, index })),
  ...Array.from({ length: SHARE_SLOTS }, (_, index) => ({ use: 'share' as const, index })),
];

export function StageView({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const element = useStageSize(meeting);
  const tiles = useStore(meeting.store, (state) => state.stage.tiles);
  const isFrozen = useStore(meeting.store, (state) => state.connection === 'reconnecting' && !state.peerUp);
  return (
    <section className={cx('ht-stage', isFrozen && 'ht-stage-frozen')} aria-label={t('meeting.stage')} ref={element}>
      {SLOTS.map((slot) => (
        <SlotTile key={slotKey(slot)} meeting={meeting} slot={slot} />
      ))}
      {tiles.map((tile) => tile.slot === undefined && <PlainTile key={tile.key} meeting={meeting} tile={tile} />)}
      <Pager meeting={meeting} />
    </section>
  );
}

function useStageSize(meeting: MeetingModel) {
  const element = useRef<HTMLElement>(null);
  useEffect(() => {
    const stage = element.current;
    if (stage === null) return;
    const report = () => meeting.setStageSize({ width: stage.clientWidth, height: stage.clientHeight }, window.devicePixelRatio);
    const observer = new ResizeObserver(report);
    observer.observe(stage);
    report();
    return () => observer.disconnect();
  }, [meeting]);
  return element;
}

interface SlotContent {
  readonly tile: Tile;
  readonly person: Participant;
  readonly source: number | undefined;
  readonly showsPicture: boolean;
}

/** What a slot's tile says: the name follows the picture; a picture of somebody else is not shown under his name. */
function contentOf(participants: readonly Participant[], tile: Tile | undefined, shown: number | undefined): SlotContent | undefined {
  if (tile === undefined) return undefined;
  const wanted = participants.find((participant) => participant.id === tile.participantId);
  const pictured = shown === undefined ? undefined : ownerOf(participants, shown);
  const followsPicture = pictured !== undefined && (tile.large || pictured.id === tile.participantId);
  const person = followsPicture ? pictured : wanted;
  if (person === undefined) return undefined;
  const asked = tile.wanted?.kind === 'source' ? tile.wanted.source : cameraNumber(person);
  return { tile, person, source: followsPicture ? shown : asked, showsPicture: followsPicture || shown === undefined };
}

function SlotTile({ meeting, slot }: { readonly meeting: MeetingModel; readonly slot: SlotId }) {
  const key = slotKey(slot);
  const participants = useStore(meeting.store, (state) => state.participants);
  const tile = useStore(meeting.store, (state) => state.stage.tiles.find((candidate) => candidate.slot !== undefined && slotKey(candidate.slot) === key));
  const shown = useStore(meeting.store, (state) => state.shown[key]);
  const content = contentOf(participants, tile, shown);
  const picture = <SlotVideo meeting={meeting} slot={slot} visible={content?.showsPicture === true} fit={slot.use === 'share' ? 'contain' : 'cover'} />;
  if (content === undefined) return <div className="ht-tile-waiting">{picture}</div>;
  return (
    <TileFrame meeting={meeting} tile={content.tile} person={content.person} source={content.source}>
      {picture}
    </TileFrame>
  );
}

function PlainTile({ meeting, tile }: { readonly meeting: MeetingModel; readonly tile: Tile }) {
  const person = useStore(meeting.store, (state) => state.participants.find((participant) => participant.id === tile.participantId));
  if (person === undefined) return null;
  return (
    <TileFrame meeting={meeting} tile={tile} person={person} source={cameraNumber(person)}>
      {tile.content === 'self' && <SelfPicture meeting={meeting} />}
    </TileFrame>
  );
}

function SelfPicture({ meeting }: { readonly meeting: MeetingModel }) {
  const camera = useStore(meeting.devices.store, (state) => state.camera);
  const isMirrored = useStore(meeting.devices.store, (state) => state.preferences.mirrorSelf);
  if (camera.kind !== 'open') return null;
  return <TrackVideo track={camera.track} className={cx('ht-tile-video', 'ht-fit-cover', isMirrored && 'ht-mirror')} />;
}

function Pager({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const page = useStore(meeting.store, (state) => state.stage.page);
  const pages = useStore(meeting.store, (state) => state.stage.pages);
  const hidden = useStore(meeting.store, (state) => state.stage.hidden);
  if (pages <= 1) return hidden > 0 ? <p className="ht-pager ht-pager-hidden">{t('meeting.hidden', { count: hidden })}</p> : null;
  return (
    <nav className="ht-pager">
      <IconButton label={t('meeting.previousPage')} icon={<ChevronLeft size={20} aria-hidden />} disabled={page === 0} onClick={() => meeting.turnPage(-1)} />
      <span>{t('meeting.pages', { page: page + 1, pages })}</span>
      <IconButton label={t('meeting.nextPage')} icon={<ChevronRight size={20} aria-hidden />} disabled={page === pages - 1} onClick={() => meeting.turnPage(1)} />
    </nav>
  );
}
