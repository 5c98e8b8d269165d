// What a client holds of a conference: the whole state on join and resync, then numbered changes. Written as
// the web client does it, so that the simulator shows that this way of keeping up converges.
#pragma once

#include <map>
#include <vector>

#include "conference/conference.h"

namespace huitang::sim {

struct ConferenceView {
  uint64_t number = 0;
  conference::Info info;
  std::map<conference::ParticipantId, conference::Participant> participants;
  std::vector<conference::ChatMessage> chat;

  static ConferenceView of(const conference::State& state, conference::ParticipantId viewer) {
    ConferenceView view{state.last_change, state.info, state.participants, {}};
    for (const auto& m : state.chat)
      if (m.is_visible_to(viewer)) view.chat.push_back(m);
    return view;
  }

  enum class Outcome { Applied, Old, Gap };
  Outcome apply(const conference::Change& change) {
    if (change.number <= number) return Outcome::Old;
    if (change.number != number + 1) return Outcome::Gap;
    number = change.number;
    if (change.info) info = *change.info;
    for (const auto& p : change.participants) participants[p.id] = p;
    for (const auto& gone : change.gone) participants.erase(gone.id);
    chat.insert(chat.end(), change.chat.begin(), change.chat.end());
    return Outcome::Applied;
  }
  friend bool operator==(const ConferenceView&, const ConferenceView&) = default;
};

}  // namespace huitang::sim
