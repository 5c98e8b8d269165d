import type { ChatMessage, MeetingModel } from '@huitang/model';
import { Send, X } from 'lucide-react';
import { useEffect, useRef, useState, type FormEvent } from 'react';
import { useStore } from 'zustand';
import { useLanguage, useText } from '../i18n';
import { IconButton } from '../parts/button';
import { cx } from '../parts/cx';
import { Select } from '../parts/select';

export interface ChatPanelProps {
  readonly meeting: MeetingModel;
  /** Empty: to all. */
  readonly to: string;
  readonly onTo: (id: string) => void;
}

export function ChatPanel({ meeting, to, onTo }: ChatPanelProps) {
  const t = useText();
  const chat = useStore(meeting.store, (state) => state.chat);
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const element = list.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  }, [chat]);
  return (
    <aside className="ht-panel" aria-label={t('chat.title')}>
      <header className="ht-panel-head">
        <h2>{t('chat.title')}</h2>
        <IconButton label={t('app.close')} icon={<X size={20} aria-hidden />} onClick={() => meeting.showPanel('none')} />
      </header>
      <ol className="ht-messages" ref={list} tabIndex={0} aria-label={t('chat.title')} aria-live="polite">
        {chat.map((message) => (
          <MessageRow key={message.id} meeting={meeting} message={message} />
        ))}
        {chat.length === 0 && <li className="ht-hint ht-panel-empty">{t('chat.empty')}</li>}
      </ol>
      <Recipient meeting={meeting} to={to} onTo={onTo} />
      <Composer meeting={meeting} to={to} autoFocus />
    </aside>
  );
}

function MessageRow({ meeting, message }: { readonly meeting: MeetingModel; readonly message: ChatMessage }) {
  const t = useText();
  const language = useLanguage();
  const meId = useStore(meeting.store, (state) => state.meId);
  const toName = useStore(meeting.store, (state) => state.participants.find((participant) => participant.id === message.toId)?.name);
  const isMine = message.fromId === meId;
  const time = new Date(message.at).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' });
  return (
    <li className={cx('ht-message', isMine && 'ht-message-mine')}>
      <p className="ht-message-head">
        <span className="ht-message-from">{isMine ? t('chat.me') : message.fromName}</span>
        {message.toId !== '' && <span className="ht-message-private">{isMine ? t('chat.privateTo', { name: toName ?? '' }) : t('chat.private')}</span>}
        <time dateTime={new Date(message.at).toISOString()}>{time}</time>
      </p>
      <p className="ht-message-text">{message.text}</p>
    </li>
  );
}

function Recipient({ meeting, to, onTo }: ChatPanelProps) {
  const t = useText();
  const participants = useStore(meeting.store, (state) => state.participants);
  const meId = useStore(meeting.store, (state) => state.meId);
  const options = [{ value: '', label: t('chat.toAll') }, ...participants.filter((participant) => participant.id !== meId).map((participant) => ({ value: participant.id, label: participant.name }))];
  const value = options.some((option) => option.value === to) ? to : '';
  return (
    <div className="ht-recipient">
      <Select label={t('chat.to')} value={value} options={options} onChange={onTo} />
    </div>
  );
}

/** One line and a button; Enter sends. */
export function Composer({ meeting, to, autoFocus = false }: { readonly meeting: MeetingModel; readonly to: string; readonly autoFocus?: boolean }) {
  const t = useText();
  const [typed, setTyped] = useState('');
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (autoFocus) input.current?.focus();
  }, [autoFocus]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (meeting.sendChat(typed, to)) setTyped('');
  };
  return (
    <form className="ht-composer" onSubmit={submit}>
      <input ref={input} data-testid="chat-input" className="ht-input" value={typed} maxLength={2000} placeholder={t('chat.placeholder')} aria-label={t('chat.input')} autoComplete="off" onChange={(event) => setTyped(event.target.value)} />
      <IconButton label={t('chat.send')} type="submit" icon={<Send size={18} aria-hidden />} disabled={typed.trim() === ''} />
    </form>
  );
}
