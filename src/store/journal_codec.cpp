#include "store/journal_codec.h"

#include "huitang/v1/journal.pb.h"

namespace huitang::store {
namespace {

using conference::ChatId;
using conference::ParticipantId;
using conference::SourceNumber;

core::WallTime wall(int64_t unix_ms) { return core::WallTime::from_unix_millis(unix_ms); }

// --- conference -> protobuf
// ------------------------------------------------------------------------------------------

void fill(v1::JournalInfo& out, const conference::Info& info) {
  const conference::Limits& limits = info.settings.limits;
  out.set_number(info.number);
  out.set_title(info.title);
  out.set_may_unmute_self(info.settings.may_unmute_self);
  out.mutable_limits()->set_participants(limits.participants);
  out.mutable_limits()->set_name_chars(limits.name_chars);
  out.mutable_limits()->set_title_chars(limits.title_chars);
  out.mutable_limits()->set_chat_chars(limits.chat_chars);
  out.mutable_limits()->set_chat_kept(limits.chat_kept);
  out.mutable_limits()->set_barred_kept(limits.barred_kept);
  out.mutable_limits()->set_commands_kept(limits.commands_kept);
  out.set_locked(info.locked);
  out.set_ended(info.ended);
  out.set_started_unix_ms(info.started.to_unix_millis());
  if (info.empty_since) out.set_empty_since_unix_ms(info.empty_since->to_unix_millis());
}

void fill(v1::JournalParticipant& out, const conference::Participant& p) {
  out.set_id(p.id.value());
  out.set_name(p.name);
  out.set_role(p.role);
  out.set_connection(p.connection);
  out.set_muted_by_self(p.muted_by_self);
  out.set_muted_by_chair(p.muted_by_chair);
  out.set_camera_on(p.camera_on);
  out.set_shares_picture(p.is_sharing());
  out.set_shares_sound(p.share == conference::Share::PictureAndSound);
  if (p.hand_since) out.set_hand_since_unix_ms(p.hand_since->to_unix_millis());
  out.set_joined_unix_ms(p.joined.to_unix_millis());
  if (p.away_since) out.set_away_since_unix_ms(p.away_since->to_unix_millis());
  out.set_peer_connected(p.peer_connected);
  out.set_first_source(p.first_source.value());
  out.set_session(p.session.value);
  out.set_has_chair_token(p.has_chair_token);
}

void fill(v1::JournalChat& out, const conference::ChatMessage& m) {
  out.set_id(m.id.value());
  out.set_from(m.from.value());
  out.set_from_name(m.from_name);
  if (m.to) out.set_to(m.to->value());
  out.set_text(m.text);
  out.set_at_unix_ms(m.at.to_unix_millis());
}

// --- protobuf -> conference. Enums may hold numbers of a later version; conference::is_consistent judges
// them. --------

conference::Info to_info(const v1::JournalInfo& in) {
  conference::Info info;
  info.number = in.number();
  info.title = in.title();
  info.settings.may_unmute_self = in.may_unmute_self();
  conference::Limits& limits = info.settings.limits;
  limits.participants = in.limits().participants();
  limits.name_chars = in.limits().name_chars();
  limits.title_chars = in.limits().title_chars();
  limits.chat_chars = in.limits().chat_chars();
  limits.chat_kept = in.limits().chat_kept();
  limits.barred_kept = in.limits().barred_kept();
  limits.commands_kept = in.limits().commands_kept();
  info.locked = in.locked();
  info.ended = in.ended();
  info.started = wall(in.started_unix_ms());
  if (in.has_empty_since_unix_ms()) info.empty_since = wall(in.empty_since_unix_ms());
  return info;
}

conference::Participant to_participant(const v1::JournalParticipant& in) {
  conference::Participant p;
  p.id = ParticipantId(in.id());
  p.name = in.name();
  p.role = in.role();
  p.connection = in.connection();
  p.muted_by_self = in.muted_by_self();
  p.muted_by_chair = in.muted_by_chair();
  p.camera_on = in.camera_on();
  if (in.shares_picture())
    p.share = in.shares_sound() ? conference::Share::PictureAndSound : conference::Share::Picture;
  if (in.has_hand_since_unix_ms()) p.hand_since = wall(in.hand_since_unix_ms());
  p.joined = wall(in.joined_unix_ms());
  if (in.has_away_since_unix_ms()) p.away_since = wall(in.away_since_unix_ms());
  p.peer_connected = in.peer_connected();
  p.first_source = SourceNumber(in.first_source());
  p.session.value = in.session();
  p.has_chair_token = in.has_chair_token();
  return p;
}

conference::ChatMessage to_chat(const v1::JournalChat& in) {
  conference::ChatMessage m;
  m.id = ChatId(in.id());
  m.from = ParticipantId(in.from());
  m.from_name = in.from_name();
  if (in.has_to()) m.to = ParticipantId(in.to());
  m.text = in.text();
  m.at = wall(in.at_unix_ms());
  return m;
}

// The two lists are the same list; a new happening needs a line in both.
static_assert(static_cast<int>(conference::Happened::RoleChanged) == v1::JOURNAL_HAPPENING_ROLE_CHANGED);
static_assert(static_cast<int>(conference::Happened::Removed) == v1::JOURNAL_HAPPENING_REMOVED);
static_assert(static_cast<int>(conference::Happened::Unlocked) == v1::JOURNAL_HAPPENING_UNLOCKED);
static_assert(v1::JournalHappening_MAX == v1::JOURNAL_HAPPENING_ROLE_CHANGED);

}  // namespace

std::string write_snapshot(const conference::State& state) {
  v1::JournalSnapshot out;
  fill(*out.mutable_info(), state.info);
  out.set_last_change(state.last_change);
  for (const auto& [_, p] : state.participants) fill(*out.add_participants(), p);
  for (const auto& m : state.chat) fill(*out.add_chat(), m);
  out.set_next_participant(state.next_participant.value());
  out.set_next_chat(state.next_chat.value());
  for (const auto& session : state.barred) out.add_barred(session.value);
  for (const auto& [actor, ids] : state.done_commands) {
    v1::JournalCommands& commands = *out.add_done_commands();
    commands.set_actor(actor.value());
    for (const std::string& id : ids) commands.add_command_ids(id);
  }
  return write_column(out.SerializeAsString());
}

core::Result<conference::State, core::ParseError> parse_snapshot(std::string_view column) {
  const auto bytes = parse_column(column);
  if (!bytes) return core::err(bytes.error());
  v1::JournalSnapshot in;
  if (!in.ParseFromString(*bytes)) return core::err(core::ParseError::Malformed);
  conference::State state;
  state.info = to_info(in.info());
  state.last_change = in.last_change();
  for (const auto& p : in.participants())
    state.participants.emplace(ParticipantId(p.id()), to_participant(p));
  for (const auto& m : in.chat()) state.chat.push_back(to_chat(m));
  state.next_participant = ParticipantId(in.next_participant());
  state.next_chat = ChatId(in.next_chat());
  for (const auto& session : in.barred()) state.barred.push_back({session});
  for (const auto& commands : in.done_commands()) {
    auto& ids = state.done_commands[ParticipantId(commands.actor())];
    ids.insert(ids.end(), commands.command_ids().begin(), commands.command_ids().end());
  }
  return state;
}

std::string write_change(const conference::Change& change) {
  v1::JournalChange out;
  out.set_number(change.number);
  if (change.by) out.set_by(change.by->value());
  out.set_by_name(change.by_name);
  out.set_entrance(change.entrance);
  out.set_at_unix_ms(change.at.to_unix_millis());
  out.set_command_id(change.command_id);
  if (change.info) fill(*out.mutable_info(), *change.info);
  for (const auto& p : change.participants) fill(*out.add_participants(), p);
  for (const auto& gone : change.gone) {
    v1::JournalGone& g = *out.add_gone();
    g.set_id(gone.id.value());
    g.set_reason(gone.reason);
  }
  for (const auto& m : change.chat) fill(*out.add_chat(), m);
  out.set_happening(static_cast<v1::JournalHappening>(change.happening.what));
  out.set_happened_to(change.happening.who.value());
  return write_column(out.SerializeAsString());
}

core::Result<conference::Change, core::ParseError> parse_change(std::string_view column) {
  const auto bytes = parse_column(column);
  if (!bytes) return core::err(bytes.error());
  v1::JournalChange in;
  if (!in.ParseFromString(*bytes)) return core::err(core::ParseError::Malformed);
  if (!v1::JournalHappening_IsValid(in.happening())) return core::err(core::ParseError::Unsupported);
  conference::Change change;
  change.number = in.number();
  if (in.has_by()) change.by = ParticipantId(in.by());
  change.by_name = in.by_name();
  change.entrance = in.entrance();
  change.at = wall(in.at_unix_ms());
  change.command_id = in.command_id();
  if (in.has_info()) change.info = to_info(in.info());
  for (const auto& p : in.participants()) change.participants.push_back(to_participant(p));
  for (const auto& g : in.gone()) change.gone.push_back({ParticipantId(g.id()), g.reason()});
  for (const auto& m : in.chat()) change.chat.push_back(to_chat(m));
  change.happening.what = static_cast<conference::Happened>(in.happening());
  change.happening.who = ParticipantId(in.happened_to());
  return change;
}

}  // namespace huitang::store
