#include "api/wire.h"

#include <google/protobuf/util/json_util.h>

#include "api/https_server.h"

namespace huitang::api {
namespace {

using conference::to_text;
constexpr size_t kMaxDepth = 16;

void set_happening(v1::Happening& out, const conference::Happening& happening) {
  const std::string who = to_text(happening.who);
  using enum conference::Happened;
  switch (happening.what) {
    case Nothing: return;
    case Joined: return out.set_joined(who);
    case Left: return out.set_left(who);
    case Muted: return out.set_muted(who);
    case AskedToUnmute: return out.set_asked_to_unmute(who);
    case Removed: return out.set_removed(who);
    case HandRaised: return out.set_hand_raised(who);
    case HandLowered: return out.set_hand_lowered(who);
    case ShareStarted: return out.set_share_started(who);
    case ShareStopped: return out.set_share_stopped(who);
    case Locked: return out.set_locked(true);
    case Unlocked: return out.set_locked(false);
    case Ended: return out.set_ended(true);
    case Renamed: return out.set_renamed(who);
    case RoleChanged: return out.set_role_changed(who);
  }
}

std::optional<conference::ParticipantId> optional_participant(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return conference::parse_participant_id(text);
}

}  // namespace

v1::Conference to_wire(const conference::Info& info, std::string_view link) {
  v1::Conference out;
  out.set_number(info.number);
  out.set_title(info.title);
  out.set_locked(info.locked);
  out.set_ended(info.ended);
  out.set_started_unix_ms(info.started.to_unix_millis());
  out.set_link(std::string(link));
  return out;
}

v1::Participant to_wire(const conference::Info& info, const conference::Participant& participant) {
  v1::Participant out;
  out.set_id(to_text(participant.id));
  out.set_name(participant.name);
  out.set_role(participant.role);
  out.set_connection(participant.connection);
  out.set_muted_by_self(participant.muted_by_self);
  out.set_muted_by_chair(participant.muted_by_chair);
  out.set_camera_on(participant.camera_on);
  out.set_hand_up(participant.hand_since.has_value());
  if (participant.hand_since) out.set_hand_since_unix_ms(participant.hand_since->to_unix_millis());
  out.set_sharing(participant.is_sharing());
  out.set_joined_unix_ms(participant.joined.to_unix_millis());
  for (const v1::SourceKind kind : conference::kSourceKinds) {
    v1::Source& source = *out.add_sources();
    source.set_number(participant.source(kind).value());
    source.set_kind(kind);
    source.set_active(conference::is_active(info, participant, kind));
  }
  return out;
}

v1::ChatMessage to_wire(const conference::ChatMessage& message) {
  v1::ChatMessage out;
  out.set_id(message.id.value());
  out.set_from_participant_id(to_text(message.from));
  out.set_from_name(message.from_name);
  if (message.to) out.set_to_participant_id(to_text(*message.to));
  out.set_text(message.text);
  out.set_at_unix_ms(message.at.to_unix_millis());
  return out;
}

v1::Change to_wire(const conference::Change& change, const conference::Info& info, std::string_view link) {
  v1::Change out;
  out.set_number(change.number);
  if (change.by) out.set_by_participant_id(to_text(*change.by));
  out.set_by_name(change.by_name);
  out.set_entrance(change.entrance);
  out.set_at_unix_ms(change.at.to_unix_millis());
  if (change.info) *out.mutable_conference() = to_wire(*change.info, link);
  for (const conference::Participant& participant : change.participants)
    *out.add_participants() = to_wire(info, participant);
  for (const conference::Gone& gone : change.gone) out.add_gone(to_text(gone.id));
  for (const conference::ChatMessage& message : change.chat) *out.add_chat() = to_wire(message);
  if (change.happening.what != conference::Happened::Nothing)
    set_happening(*out.mutable_happening(), change.happening);
  return out;
}

v1::State to_wire(const conference::Conference& conference, conference::ParticipantId viewer,
                  core::WallTime now, std::string_view link) {
  const conference::State& state = conference.snapshot();
  v1::State out;
  out.set_number(state.last_change);
  *out.mutable_conference() = to_wire(state.info, link);
  for (const auto& [id, participant] : state.participants)
    *out.add_participants() = to_wire(state.info, participant);
  for (const conference::ChatMessage& message : conference.chat_of(viewer))
    *out.add_chat() = to_wire(message);
  out.set_server_time_unix_ms(now.to_unix_millis());
  return out;
}

v1::Refused to_wire(const conference::Refusal& refusal) {
  v1::Refused out;
  out.set_code(refusal.code);
  out.set_detail(refusal.detail);
  return out;
}

std::optional<conference::Operation> from_wire(const v1::Command& command) {
  namespace c = conference;
  switch (command.op_case()) {
    case v1::Command::kSetMicrophone: return c::SetMicrophone{command.set_microphone().on()};
    case v1::Command::kSetCamera: return c::SetCamera{command.set_camera().on()};
    case v1::Command::kStartShare: return c::StartShare{command.start_share().with_audio()};
    case v1::Command::kStopShare:
      return c::StopShare{optional_participant(command.stop_share().participant_id())};
    case v1::Command::kSetHand:
      return c::SetHand{command.set_hand().up(), optional_participant(command.set_hand().participant_id())};
    case v1::Command::kSendChat:
      return c::SendChat{command.send_chat().text(),
                         optional_participant(command.send_chat().to_participant_id())};
    case v1::Command::kMuteOther:
      return c::MuteOther{c::parse_participant_id(command.mute_other().participant_id())};
    case v1::Command::kAskUnmute:
      return c::AskUnmute{c::parse_participant_id(command.ask_unmute().participant_id())};
    case v1::Command::kRemove:
      return c::RemoveParticipant{c::parse_participant_id(command.remove().participant_id())};
    case v1::Command::kSetLock: return c::SetLock{command.set_lock().locked()};
    case v1::Command::kEnd: return c::EndConference{};
    case v1::Command::kLeave: return c::Leave{};
    case v1::Command::kRename: return c::Rename{command.rename().name()};
    case v1::Command::OP_NOT_SET: return std::nullopt;
  }
  return std::nullopt;
}

View from_wire(const v1::SetView& view) {
  View out;
  for (const v1::SlotView& slot : view.slots()) {
    ShownSlot shown{slot.use(), slot.index(), 0, slot.width(), slot.height()};
    if (slot.show_case() == v1::SlotView::kSource) shown.source = slot.source();
    const bool shows = slot.show_case() == v1::SlotView::kSource ? slot.source() != 0 : slot.speaker();
    if (shows) out.push_back(shown);
  }
  return out;
}

bool is_shallow(std::string_view json, size_t most) {
  size_t depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_text) {
      if (c == '\\') ++i;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      if (++depth > most) return false;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return true;
}

bool parse_client_message(std::string_view text, v1::ClientMessage& message) {
  if (text.size() > kMaxSocketMessage || !is_shallow(text, kMaxDepth)) return false;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  return google::protobuf::util::JsonStringToMessage({text.data(), text.size()}, &message, options).ok();
}

std::string write_server_message(const v1::ServerMessage& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) return "{}";
  return text;
}

}  // namespace huitang::api
