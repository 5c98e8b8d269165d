#include "sim/conference_ask.h"

#include <array>

namespace huitang::sim {
namespace {

namespace cf = conference;

bool one_in(core::Random& random, uint32_t n) { return random.below(n) == 0; }

cf::ParticipantId random_person(core::Random& random, const ConferenceModel& m) {
  if (!m.people.empty() && !one_in(random, 8))
    return cf::ParticipantId(m.people[random.below(static_cast<uint32_t>(m.people.size()))].id);
  return cf::ParticipantId(random.below(m.next_id + 2));
}

std::optional<cf::ParticipantId> maybe_person(core::Random& random, const ConferenceModel& m) {
  return one_in(random, 2) ? std::nullopt : std::optional(random_person(random, m));
}

struct Text {
  std::string text;
  bool is_bad = false;
  bool is_long = false;
};
Text random_text(core::Random& random, size_t too_long) {
  if (one_in(random, 12)) return {"", true};
  if (one_in(random, 12)) return {"a\x01", true};
  if (one_in(random, 12)) return {std::string(too_long, 'x'), false, true};
  static const std::array<const char*, 4> good = {"王芳", "bob", "x", "大家好"};
  return {good[random.below(good.size())]};
}

Ask with_text(cf::Operation operation, const Text& text) {
  Ask ask;
  ask.command.operation = std::move(operation);
  ask.is_text_bad = text.is_bad;
  ask.is_text_long = text.is_long;
  return ask;
}
Ask plain(cf::Operation operation) { return with_text(std::move(operation), {}); }

Ask random_chat(core::Random& random, const ConferenceModel& m) {
  const Text text = random_text(random, 4001);
  return with_text(cf::SendChat{text.text, maybe_person(random, m)}, text);
}

Ask random_rename(core::Random& random) {
  const Text text = random_text(random, 65);
  return with_text(cf::Rename{text.text}, text);
}

Ask random_fact(core::Random& random, const ConferenceModel& m) {
  const cf::ParticipantId who = random_person(random, m);
  switch (random.below(9)) {
    case 0: return plain(cf::SessionLost{who});
    case 1: return plain(cf::SessionBack{who});
    case 2: return plain(cf::LostTooLong{who});
    case 3: return one_in(random, 5) ? plain(cf::AllSessionsLost{}) : plain(cf::SessionBack{who});
    case 4: return plain(cf::PeerConnected{who});
    case 5: return plain(cf::PeerGone{who});
    case 6: return plain(cf::ChairAwayTooLong{});
    case 7: return plain(cf::LostTooLong{who});
    default: return plain(cf::EmptyTooLong{});
  }
}

Ask random_join(core::Random& random, const ConferenceModel& m) {
  const Text name = random_text(random, 65);
  cf::Join join;
  join.name = name.text;
  join.session.value = "wild" + std::to_string(random.below(4));
  join.microphone_on = one_in(random, 2);
  join.has_chair_token = one_in(random, 4);
  join.peer_connected = one_in(random, 2);
  const bool is_taken = one_in(random, 6) && !m.people.empty();
  join.first_source = cf::SourceNumber(is_taken ? m.people[0].first_source + 2 : 1'000'000 + m.next_id * 4);
  return with_text(join, name);
}

cf::Actor random_actor(core::Random& random, const ConferenceModel& m) {
  switch (random.below(6)) {
    case 0: return {std::nullopt, v1::ENTRANCE_PAGE};
    case 1: return {std::nullopt, v1::ENTRANCE_API};
    case 2: return {std::nullopt, v1::ENTRANCE_AUTOMATIC};
    default: return {random_person(random, m), v1::ENTRANCE_PAGE};
  }
}

}  // namespace

Ask random_ask(core::Random& random, const ConferenceModel& m) {
  switch (random.below(30)) {
    case 0:
    case 1:
    case 2:
    case 3: return plain(cf::SetMicrophone{one_in(random, 2)});
    case 4:
    case 5:
    case 6: return plain(cf::SetCamera{one_in(random, 2)});
    case 7:
    case 8:
    case 9: return plain(cf::StartShare{one_in(random, 2)});
    case 10:
    case 11: return plain(cf::StopShare{maybe_person(random, m)});
    case 12:
    case 13:
    case 14: return plain(cf::SetHand{one_in(random, 2), maybe_person(random, m)});
    case 15:
    case 16:
    case 17: return random_chat(random, m);
    case 18:
    case 19:
    case 20: return plain(cf::MuteOther{random_person(random, m)});
    case 21:
    case 22:
    case 23: return plain(cf::AskUnmute{random_person(random, m)});
    case 24: return plain(cf::RemoveParticipant{random_person(random, m)});
    case 25:
    case 26: return plain(cf::SetLock{one_in(random, 3)});
    case 27: return one_in(random, 12) ? plain(cf::EndConference{}) : plain(cf::SetLock{false});
    case 28: return one_in(random, 3) ? plain(cf::Leave{}) : random_rename(random);
    default: return random_rename(random);
  }
}

Ask wild_ask(core::Random& random, const ConferenceModel& m) {
  Ask ask = one_in(random, 3)   ? random_fact(random, m)
            : one_in(random, 6) ? random_join(random, m)
                                : random_ask(random, m);
  ask.actor = random_actor(random, m);
  return ask;
}

}  // namespace huitang::sim
