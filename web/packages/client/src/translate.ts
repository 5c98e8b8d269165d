// The border between the wire's generated types and the client's own (domain.ts).

import * as wire from '@huitang/protocol';
import type * as domain from './domain';
import { unreachable } from './exhaustive';

export function refusalName(code: wire.RefusalCode): domain.RefusalName {
  const name: string | undefined = wire.RefusalCode[code];
  return name === undefined ? 'unspecified' : (name.toLowerCase() as domain.RefusalName);
}

export function toRefusal(refused: wire.Refused): domain.Refusal {
  return { code: refusalName(refused.code), detail: refused.detail, retryAfterSeconds: refused.retryAfterSeconds };
}

function toRole(role: wire.Role): domain.Role {
  switch (role) {
    case wire.Role.CHAIR:
      return 'chair';
    case wire.Role.CO_CHAIR:
      return 'coChair';
    case wire.Role.VIEWER:
      return 'viewer';
    case wire.Role.PARTICIPANT:
    case wire.Role.UNSPECIFIED:
      return 'participant';
    default:
      return unreachable(role);
  }
}

function toPresence(connection: wire.ConnectionState): domain.Presence {
  switch (connection) {
    case wire.ConnectionState.RECONNECTING:
      return 'reconnecting';
    case wire.ConnectionState.LEFT:
      return 'left';
    case wire.ConnectionState.IN:
    case wire.ConnectionState.UNSPECIFIED:
      return 'in';
    default:
      return unreachable(connection);
  }
}

export function toLeaveReason(reason: wire.LeaveReason): domain.LeaveReason {
  switch (reason) {
    case wire.LeaveReason.UNSPECIFIED:
      return 'unknown';
    case wire.LeaveReason.OWN_WISH:
      return 'ownWish';
    case wire.LeaveReason.REMOVED:
      return 'removed';
    case wire.LeaveReason.NETWORK:
      return 'network';
    case wire.LeaveReason.CONFERENCE_ENDED:
      return 'ended';
    case wire.LeaveReason.REPLACED:
      return 'replaced';
    default:
      return unreachable(reason);
  }
}

export function toSourceKind(kind: wire.SourceKind): domain.SourceKind | undefined {
  switch (kind) {
    case wire.SourceKind.MICROPHONE:
      return 'microphone';
    case wire.SourceKind.CAMERA:
      return 'camera';
    case wire.SourceKind.SCREEN:
      return 'screen';
    case wire.SourceKind.SCREEN_AUDIO:
      return 'screenAudio';
    case wire.SourceKind.UNSPECIFIED:
      return undefined;
    default:
      return unreachable(kind);
  }
}

function toSources(sources: readonly wire.Source[]): domain.Source[] {
  return sources.flatMap((source) => {
    const kind = toSourceKind(source.kind);
    return kind === undefined || source.number === 0 ? [] : [{ number: source.number, kind, active: source.active }];
  });
}

export function toParticipant(participant: wire.Participant): domain.Participant {
  return {
    id: participant.id,
    name: participant.name,
    role: toRole(participant.role),
    presence: toPresence(participant.connection),
    leftReason: toLeaveReason(participant.leftReason),
    mutedBySelf: participant.mutedBySelf,
    mutedByChair: participant.mutedByChair,
    cameraOn: participant.cameraOn,
    handUp: participant.handUp,
    handSince: Number(participant.handSinceUnixMs),
    sharing: participant.sharing,
    sources: toSources(participant.sources),
    joinedAt: Number(participant.joinedUnixMs),
  };
}

export function toConference(conference: wire.Conference): domain.Conference {
  return {
    number: conference.number,
    title: conference.title,
    locked: conference.locked,
    ended: conference.ended,
    startedAt: Number(conference.startedUnixMs),
    link: conference.link,
  };
}

function toChatMessage(message: wire.ChatMessage): domain.ChatMessage {
  return {
    id: message.id.toString(),
    fromId: message.fromParticipantId,
    fromName: message.fromName,
    toId: message.toParticipantId,
    text: message.text,
    at: Number(message.atUnixMs),
  };
}

const NO_CONFERENCE: domain.Conference = { number: '', title: '', locked: false, ended: false, startedAt: 0, link: '' };

export function toWholeState(state: wire.State): domain.WholeState {
  return {
    number: state.number,
    conference: state.conference === undefined ? NO_CONFERENCE : toConference(state.conference),
    participants: state.participants.map(toParticipant),
    chat: state.chat.map(toChatMessage),
  };
}

function toHappening(happening: wire.Happening | undefined): domain.Happening | undefined {
  const what = happening?.what;
  if (what === undefined) return undefined;
  switch (what.case) {
    case undefined:
      return undefined;
    case 'locked':
      return { what: 'locked', locked: what.value };
    case 'ended':
      return { what: 'ended' };
    case 'joined':
    case 'left':
    case 'muted':
    case 'askedToUnmute':
    case 'removed':
    case 'handRaised':
    case 'handLowered':
    case 'shareStarted':
    case 'shareStopped':
    case 'renamed':
    case 'roleChanged':
      return { what: what.case, id: what.value };
    default:
      return unreachable(what);
  }
}

export function toChange(change: wire.Change): domain.Change {
  return {
    number: change.number,
    byId: change.byParticipantId,
    byName: change.byName,
    at: Number(change.atUnixMs),
    conference: change.conference === undefined ? undefined : toConference(change.conference),
    participants: change.participants.map(toParticipant),
    gone: change.gone,
    chat: change.chat.map(toChatMessage),
    happening: toHappening(change.happening),
  };
}

type WireOp = NonNullable<wire.ClientMessageInit['body']> extends infer Body
  ? Body extends { case: 'command'; value: infer Value }
    ? Value extends { op?: infer Op }
      ? NonNullable<Op>
      : never
    : never
  : never;

export function toWireOp(command: domain.Command): WireOp {
  switch (command.kind) {
    case 'setMicrophone':
      return { case: 'setMicrophone', value: { on: command.on } };
    case 'setCamera':
      return { case: 'setCamera', value: { on: command.on } };
    case 'startShare':
      return { case: 'startShare', value: { withAudio: command.withAudio } };
    case 'stopShare':
      return { case: 'stopShare', value: { participantId: command.id } };
    case 'setHand':
      return { case: 'setHand', value: { up: command.up, participantId: command.id } };
    case 'sendChat':
      return { case: 'sendChat', value: { text: command.text, toParticipantId: command.toId } };
    case 'muteOther':
      return { case: 'muteOther', value: { participantId: command.id } };
    case 'askUnmute':
      return { case: 'askUnmute', value: { participantId: command.id } };
    case 'remove':
      return { case: 'remove', value: { participantId: command.id } };
    case 'setLock':
      return { case: 'setLock', value: { locked: command.locked } };
    case 'end':
      return { case: 'end', value: {} };
    case 'leave':
      return { case: 'leave', value: {} };
    case 'rename':
      return { case: 'rename', value: { name: command.name } };
    default:
      return unreachable(command);
  }
}

export function toPausedPictures(paused: wire.PausedPictures): domain.PausedPicture[] {
  return paused.pictures.map(({ use, index, source }) => ({ use: use === wire.LineUse.SHARE_SLOT ? 'share' : 'video', index, source }));
}

export function toWireView(slots: readonly domain.SlotView[]) {
  return {
    slots: slots.map((slot) => ({
      use: slot.use === 'video' ? wire.LineUse.VIDEO_SLOT : wire.LineUse.SHARE_SLOT,
      index: slot.index,
      show:
        slot.show.kind === 'source'
          ? { case: 'source' as const, value: slot.show.source }
          : { case: 'speaker' as const, value: true },
      width: slot.width,
      height: slot.height,
    })),
  };
}
