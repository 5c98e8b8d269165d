#include "conference/consistency.h"

#include <algorithm>
#include <set>

namespace huitang::conference {
namespace {

bool is_sound(const Participant& p) {
  const bool is_in = p.connection == v1::CONNECTION_STATE_IN;
  const bool is_away = p.connection == v1::CONNECTION_STATE_RECONNECTING;
  return p.id.value() != 0 && p.first_source.value() != 0 && !p.session.value.empty() && (is_in || is_away) &&
         is_away == p.away_since.has_value() && p.has_chair_rights() == p.has_chair_token &&
         (p.role == v1::ROLE_CHAIR || p.role == v1::ROLE_CO_CHAIR || p.role == v1::ROLE_PARTICIPANT);
}

bool has_own_sources_and_sessions(const State& state) {
  std::set<uint32_t> firsts;
  std::set<SessionKey> sessions;
  for (const auto& [_, p] : state.participants) {
    if (!firsts.insert(p.first_source.value()).second || !sessions.insert(p.session).second) return false;
  }
  const auto is_close = [](uint32_t a, uint32_t b) { return b - a < kSourcesPerParticipant; };
  return std::adjacent_find(firsts.begin(), firsts.end(), is_close) == firsts.end();
}

// One chair, and no co-chair sits there while nobody is chair; one presenter.
bool has_clear_roles(const State& state) {
  size_t chairs = 0, co_chairs_in = 0, presenters = 0;
  for (const auto& [_, p] : state.participants) {
    chairs += p.role == v1::ROLE_CHAIR;
    co_chairs_in += p.role == v1::ROLE_CO_CHAIR && p.connection == v1::CONNECTION_STATE_IN;
    presenters += p.is_sharing();
  }
  return chairs <= 1 && presenters <= 1 && (chairs == 1 || co_chairs_in == 0);
}

bool has_sound_participants(const State& state) {
  return std::all_of(state.participants.begin(), state.participants.end(), [&](const auto& entry) {
    return entry.first == entry.second.id && entry.first < state.next_participant && is_sound(entry.second);
  });
}

bool has_sound_chat(const State& state) {
  ChatId last{};
  for (const ChatMessage& m : state.chat) {
    if (m.id <= last || m.id >= state.next_chat) return false;
    last = m.id;
  }
  return true;
}

bool is_within_limits(const State& state) {
  const Limits& limits = state.info.settings.limits;
  const bool is_remembering_little =
      std::all_of(state.done_commands.begin(), state.done_commands.end(),
                  [&](const auto& entry) { return entry.second.size() <= limits.commands_kept; });
  return state.participants.size() <= limits.participants && state.chat.size() <= limits.chat_kept &&
         state.barred.size() <= limits.barred_kept && is_remembering_little;
}

}  // namespace

bool is_consistent(const State& state) {
  const bool is_empty = state.participants.empty();
  const bool is_emptiness_noted = state.info.empty_since.has_value() == (is_empty && !state.info.ended);
  return is_emptiness_noted && (!state.info.ended || is_empty) && has_sound_participants(state) &&
         has_own_sources_and_sessions(state) && has_clear_roles(state) && has_sound_chat(state) &&
         is_within_limits(state);
}

bool can_follow(const State& state, const Change& change) {
  if (change.number != state.last_change + 1 || state.info.ended) return false;
  std::set<ParticipantId> gone;
  for (const Gone& g : change.gone) {
    if (!state.participants.contains(g.id) || !gone.insert(g.id).second) return false;
  }
  return std::none_of(change.participants.begin(), change.participants.end(),
                      [&](const Participant& p) { return gone.contains(p.id); });
}

}  // namespace huitang::conference
