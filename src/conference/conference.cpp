#include "conference/conference.h"

#include <algorithm>
#include <charconv>

#include "conference/consistency.h"
#include "conference/media.h"
#include "conference/operation.h"
#include "conference/text.h"
#include "core/check.h"

namespace huitang::conference {
namespace {

constexpr size_t kMaxCommandId = 64;
constexpr ParticipantId kNobody{};

/// Pushes back and forgets the oldest beyond `cap`.
template <class T>
void push_capped(std::deque<T>& queue, T value, size_t cap) {
  queue.push_back(std::move(value));
  while (queue.size() > cap) queue.pop_front();
}

bool is_conference_number(std::string_view text) {
  return text.size() == 9 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Commands of participants and of the API. Strangers have no name to remember them by, and no bound to their
/// number.
bool is_remembered(const std::string& command_id, const Actor& actor) {
  const bool has_name = actor.participant || actor.entrance == v1::ENTRANCE_API;
  return has_name && !command_id.empty() && command_id.size() <= kMaxCommandId;
}

// People who are gone may still repeat their last commands; so many of them are remembered, the latest to join.
void forget_commands_of_gone(State& state) {
  size_t gone = 0;
  for (auto it = state.done_commands.end(); it != state.done_commands.begin();) {
    --it;
    if (it->first == kNobody || state.participants.contains(it->first)) continue;
    if (++gone > state.info.settings.limits.commands_kept) it = state.done_commands.erase(it);
  }
}

void commit_gone(State& state, const Gone& gone) {
  const auto it = state.participants.find(gone.id);
  if (gone.reason == v1::LEAVE_REASON_REMOVED)
    push_capped(state.barred, it->second.session, state.info.settings.limits.barred_kept);
  state.participants.erase(it);
}

}  // namespace

std::string to_text(ParticipantId id) { return "p" + std::to_string(id.value()); }

ParticipantId parse_participant_id(std::string_view text) {
  if (text.size() < 2 || text[0] != 'p' || text[1] == '0') return {};
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? ParticipantId(value) : ParticipantId();
}

Change seen_by(const Change& change, ParticipantId viewer) {
  const bool sees_all = std::all_of(change.chat.begin(), change.chat.end(),
                                    [&](const ChatMessage& m) { return m.is_visible_to(viewer); });
  if (sees_all) return change;
  Change seen;
  seen.number = change.number;
  seen.at = change.at;
  return seen;
}

std::string draw_number(core::Random& random) {
  return std::to_string(100'000'000 + random.below(900'000'000));
}

core::Result<Conference, Refusal> Conference::create(core::WallTime now, const Create& create) {
  State state;
  state.info.number = create.number;
  state.info.title = trimmed(create.title);
  state.info.settings = create.settings;
  state.info.started = now;
  state.info.empty_since = now;
  const auto chars = count_chars(state.info.title);
  if (!is_conference_number(create.number))
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "number is not nine digits");
  if (!chars || *chars > create.settings.limits.title_chars || !is_printable(state.info.title, false))
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "title too long, or with characters not allowed");
  return Conference(std::move(state));
}

core::Result<Conference, core::ParseError> Conference::from_snapshot(State state) {
  if (!conference::is_consistent(state)) return core::err(core::ParseError::Malformed);
  return Conference(std::move(state));
}

core::Result<Effects, Refusal> Conference::apply(core::WallTime now, const Command& command,
                                                 const Actor& actor) {
  if (command.command_id.size() > kMaxCommandId)
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "command id too long");
  if (auto known = repeated(command, actor)) return *std::move(known);
  Turn turn(state_, now, actor);
  Verdict verdict = state_.info.ended ? Verdict(refuse(v1::REFUSAL_CODE_ENDED, "the conference has ended"))
                                      : std::visit(
                                            [&]<class Op>(const Op& op) {
                                              const Row<Op>& row = std::get<Row<Op>>(kRows);
                                              Verdict may = admit(turn, row.who);
                                              return may ? row.decide(turn, op) : may;
                                            },
                                            command.operation);
  if (!verdict) {
    remember(command.command_id, actor, verdict.error());
    return core::err(verdict.error());
  }
  Effects effects;
  effects.joined = turn.joined();
  effects.change = turn.take_change(command.command_id);
  if (!effects.change) {
    remember(command.command_id, actor, std::nullopt);
    return effects;
  }
  effects.media = media_following(state_, *effects.change);
  commit(*effects.change);
  HUITANG_DCHECK(is_consistent());
  return effects;
}

void Conference::commit(const Change& change) {
  const Limits limits = state_.info.settings.limits;
  state_.last_change = change.number;
  if (change.info) state_.info = *change.info;
  for (const Participant& p : change.participants) {
    state_.participants.insert_or_assign(p.id, p);
    state_.next_participant = std::max(state_.next_participant, ParticipantId(p.id.value() + 1));
  }
  for (const Gone& gone : change.gone) commit_gone(state_, gone);
  for (const ChatMessage& message : change.chat) {
    push_capped(state_.chat, message, limits.chat_kept);
    state_.next_chat = ChatId(message.id.value() + 1);
  }
  if (is_remembered(change.command_id, {change.by, change.entrance}))
    push_capped(state_.done_commands[change.by.value_or(kNobody)], change.command_id, limits.commands_kept);
  if (!change.gone.empty()) {
    forget_commands_of_gone(state_);
    for (const Gone& gone : change.gone) settled_.erase(gone.id);
  }
}

core::Result<void, core::ParseError> Conference::replay(std::span<const Change> changes) {
  Conference next = *this;
  for (const Change& change : changes) {
    if (!can_follow(next.state_, change)) return core::err(core::ParseError::Malformed);
    next.commit(change);
  }
  if (!next.is_consistent()) return core::err(core::ParseError::Malformed);
  *this = std::move(next);
  return {};
}

std::optional<core::Result<Effects, Refusal>> Conference::repeated(const Command& command,
                                                                   const Actor& by) const {
  if (!is_remembered(command.command_id, by)) return std::nullopt;
  const ParticipantId actor = by.participant.value_or(kNobody);
  Effects effects;
  effects.repeated = true;
  if (const auto done = state_.done_commands.find(actor); done != state_.done_commands.end()) {
    const auto& ids = done->second;
    if (std::find(ids.begin(), ids.end(), command.command_id) != ids.end()) return effects;
  }
  const auto settled = settled_.find(actor);
  if (settled == settled_.end()) return std::nullopt;
  for (const Settled& s : settled->second) {
    if (s.command_id != command.command_id) continue;
    if (s.refusal) return core::Result<Effects, Refusal>(core::err(*s.refusal));
    return effects;
  }
  return std::nullopt;
}

void Conference::remember(const std::string& command_id, const Actor& actor, std::optional<Refusal> refusal) {
  if (!is_remembered(command_id, actor) || (actor.participant && !find(*actor.participant))) return;
  auto& settled = settled_[actor.participant.value_or(kNobody)];
  const auto is_same = [&](const Settled& s) { return s.command_id == command_id; };
  if (std::any_of(settled.begin(), settled.end(), is_same)) return;
  push_capped(settled, Settled{command_id, std::move(refusal)}, state_.info.settings.limits.commands_kept);
}

const Participant* Conference::find(ParticipantId id) const {
  const auto it = state_.participants.find(id);
  return it != state_.participants.end() ? &it->second : nullptr;
}

const Participant* Conference::find(const SessionKey& session) const {
  for (const auto& [_, p] : state_.participants)
    if (p.session == session) return &p;
  return nullptr;
}

bool Conference::is_barred(const SessionKey& session) const {
  return std::find(state_.barred.begin(), state_.barred.end(), session) != state_.barred.end();
}

std::vector<ChatMessage> Conference::chat_of(ParticipantId viewer) const {
  std::vector<ChatMessage> seen;
  for (const ChatMessage& m : state_.chat)
    if (m.is_visible_to(viewer)) seen.push_back(m);
  return seen;
}

std::vector<MediaIntent> Conference::media_of(ParticipantId id) const {
  const Participant* p = find(id);
  return p ? conference::media_of(state_.info, *p) : std::vector<MediaIntent>();
}

std::vector<MediaIntent> Conference::media() const {
  std::vector<MediaIntent> all;
  for (const auto& [_, p] : state_.participants) {
    const auto own = conference::media_of(state_.info, p);
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

bool Conference::is_consistent() const { return conference::is_consistent(state_); }

}  // namespace huitang::conference
