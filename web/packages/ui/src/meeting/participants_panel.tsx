import { isChair, isMuted, meOf, panelOrder, searchByName, type MeetingModel, type Participant } from '@huitang/model';
import { Hand, MessageSquare, Mic, MicOff, ScreenShare, ScreenShareOff, Search, UserX, Video, VideoOff, WifiOff, X } from 'lucide-react';
import { useState } from 'react';
import { useStore } from 'zustand';
import { useText } from '../i18n';
import { Avatar } from '../parts/avatar';
import { IconButton } from '../parts/button';
import { ChairLinkButton } from './chair_link_button';
import { MutedIcon } from './tile_view';

interface PanelParts {
  readonly meeting: MeetingModel;
  readonly onMessage: (id: string) => void;
}

export interface ParticipantsPanelProps extends PanelParts {
  readonly onCopyChairLink: () => void;
}

export function ParticipantsPanel({ meeting, onMessage, onCopyChairLink }: ParticipantsPanelProps) {
  const t = useText();
  const [wanted, setWanted] = useState('');
  const participants = useStore(meeting.store, (state) => state.participants);
  const meId = useStore(meeting.store, (state) => state.meId);
  const isMeChair = useStore(meeting.store, (state) => isChair(meOf(state)));
  const shown = panelOrder(searchByName(participants, wanted), meId);
  return (
    <aside className="ht-panel" aria-label={t('bar.participants')}>
      <header className="ht-panel-head">
        <h2>{t('participants.title', { count: participants.length })}</h2>
        <IconButton label={t('app.close')} icon={<X size={20} aria-hidden />} onClick={() => meeting.showPanel('none')} />
      </header>
      <label className="ht-search">
        <Search size={18} aria-hidden />
        <input type="search" value={wanted} placeholder={t('participants.search')} aria-label={t('participants.search')} onChange={(event) => setWanted(event.target.value)} />
      </label>
      <ul className="ht-people">
        {shown.map((person) => (
          <PersonRow key={person.id} meeting={meeting} person={person} isMe={person.id === meId} isMeChair={isMeChair} onMessage={onMessage} />
        ))}
      </ul>
      {shown.length === 0 && <p className="ht-hint ht-panel-empty">{t('participants.none')}</p>}
      <div className="ht-panel-foot">
        <ChairLinkButton meeting={meeting} onCopy={onCopyChairLink} />
      </div>
    </aside>
  );
}

interface PersonRowProps extends PanelParts {
  readonly person: Participant;
  readonly isMe: boolean;
  readonly isMeChair: boolean;
}

function PersonRow({ meeting, person, isMe, isMeChair, onMessage }: PersonRowProps) {
  const t = useText();
  return (
    <li className="ht-person" data-participant={person.id}>
      <Avatar name={person.name} size="small" />
      <div className="ht-person-words">
        <span className="ht-person-name">
          {person.name}
          {isMe && t('meeting.you')}
        </span>
        {person.role !== 'participant' && <span className="ht-person-role">{t(`participants.role.${person.role}`)}</span>}
      </div>
      <PersonState person={person} />
      {!isMe && <PersonActions meeting={meeting} person={person} isMeChair={isMeChair} onMessage={onMessage} />}
    </li>
  );
}

function PersonState({ person }: { readonly person: Participant }) {
  const t = useText();
  return (
    <span className="ht-person-state">
      {person.presence === 'reconnecting' && <WifiOff size={18} className="ht-warn" role="img" aria-label={t('participants.state.reconnecting')} />}
      {person.handUp && <Hand size={18} className="ht-hand-up" role="img" aria-label={t('participants.state.hand')} />}
      {person.sharing && <ScreenShare size={18} className="ht-good" role="img" aria-label={t('participants.state.sharing')} />}
      {isMuted(person) ? <MutedIcon person={person} /> : <Mic size={18} role="img" aria-label={t('participants.state.open')} />}
      {person.cameraOn ? <Video size={18} role="img" aria-label={t('participants.state.cameraOn')} /> : <VideoOff size={18} className="ht-faint" role="img" aria-label={t('participants.state.cameraOff')} />}
    </span>
  );
}

function PersonActions({ meeting, person, isMeChair, onMessage }: Omit<PersonRowProps, 'isMe'>) {
  const t = useText();
  const { id, name } = person;
  return (
    <span className="ht-person-actions">
      <IconButton label={t('participants.message', { name })} icon={<MessageSquare size={18} aria-hidden />} onClick={() => onMessage(id)} />
      {isMeChair && person.handUp && <IconButton label={t('participants.lowerHand', { name })} icon={<Hand size={18} aria-hidden />} onClick={() => meeting.lowerHand(id)} />}
      {isMeChair && person.sharing && <IconButton label={t('participants.stopShare', { name })} icon={<ScreenShareOff size={18} aria-hidden />} onClick={() => meeting.stopShareOf(id)} />}
      {isMeChair && isMuted(person) && <IconButton label={t('participants.askUnmute', { name })} icon={<Mic size={18} aria-hidden />} onClick={() => meeting.askUnmute(id)} />}
      {isMeChair && !person.mutedByChair && <IconButton label={t('participants.mute', { name })} testId="mute-other" icon={<MicOff size={18} aria-hidden />} onClick={() => meeting.muteOther(id)} />}
      {isMeChair && <IconButton label={t('participants.remove', { name })} testId="remove" tone="danger" icon={<UserX size={18} aria-hidden />} onClick={() => meeting.remove(id)} />}
    </span>
  );
}
