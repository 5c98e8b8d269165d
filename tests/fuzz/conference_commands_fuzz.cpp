// Commands made of arbitrary bytes, through a ledger whose writes succeed and fail. After each: the state is
// consistent, the journal replayed gives it again, media told step by step is media told from nothing, nobody
// sees others' messages.
#include <map>
#include <set>

#include "conference/ledger.h"
#include "core/bytes.h"
#include "core/check.h"

namespace {

using namespace huitang;
namespace cf = conference;

std::string text(core::ByteReader& in) {
  return std::string(core::as_text(in.take(std::min<size_t>(in.u8() % 80, in.remaining()))));
}
cf::ParticipantId person(core::ByteReader& in) { return cf::ParticipantId(in.u8() % 12); }
std::optional<cf::ParticipantId> maybe(core::ByteReader& in) {
  const uint8_t b = in.u8();
  return b % 3 == 0 ? std::nullopt : std::optional(cf::ParticipantId(b % 12));
}

cf::Operation join(core::ByteReader& in) {
  const uint8_t flags = in.u8();
  cf::Join j;
  j.session.value = std::string(1, static_cast<char>('a' + in.u8() % 10));
  j.name = text(in);
  j.microphone_on = flags & 1;
  j.camera_on = flags & 2;
  j.has_chair_token = flags & 4;
  j.peer_connected = flags & 8;
  j.first_source = cf::SourceNumber(in.u8() * 2u);
  return j;
}

cf::Operation operation(core::ByteReader& in) {
  switch (in.u8() % 26) {
    case 0: return cf::SetMicrophone{in.u8() % 2 == 0};
    case 1: return cf::SetCamera{in.u8() % 2 == 0};
    case 2: return cf::StartShare{in.u8() % 2 == 0};
    case 3: return cf::StopShare{maybe(in)};
    case 4: return cf::SetHand{in.u8() % 2 == 0, maybe(in)};
    case 5: return cf::SendChat{text(in), maybe(in)};
    case 6: return cf::MuteOther{person(in)};
    case 7: return cf::AskUnmute{person(in)};
    case 8: return cf::RemoveParticipant{person(in)};
    case 9: return cf::SetLock{in.u8() % 2 == 0};
    case 10: return in.u8() % 8 == 0 ? cf::Operation(cf::EndConference{}) : cf::Operation(cf::Leave{});
    case 11: return cf::Leave{};
    case 12: return cf::Rename{text(in)};
    case 13: return cf::SessionLost{person(in)};
    case 14: return cf::SessionBack{person(in)};
    case 15: return cf::LostTooLong{person(in)};
    case 16: return cf::AllSessionsLost{};
    case 17: return cf::PeerConnected{person(in)};
    case 18: return cf::PeerGone{person(in)};
    case 19: return cf::ChairAwayTooLong{};
    case 20: return cf::EmptyTooLong{};
    default: return join(in);
  }
}

cf::Actor actor(core::ByteReader& in, const cf::Operation& op) {
  if (std::holds_alternative<cf::Join>(op)) return {};
  const uint8_t b = in.u8();
  if (b % 4 == 0) return {std::nullopt, v1::ENTRANCE_AUTOMATIC};
  if (b % 16 == 1) return {std::nullopt, v1::ENTRANCE_API};
  return {cf::ParticipantId(b % 12)};
}

// Media as a node would have it.
struct Node {
  std::map<uint32_t, bool> sources;
  std::set<cf::ParticipantId> listeners;
  void operator()(const cf::ForwardSource& f) { sources[f.number.value()] = f.forwarded; }
  void operator()(const cf::Listen& l) { listeners.insert(l.participant); }
  void operator()(const cf::LetGo& l) {
    listeners.erase(l.participant);
    for (uint32_t k = 0; k < cf::kSourcesPerParticipant; ++k) sources.erase(l.first_source.value() + k);
  }
  void operator()(const cf::CloseGroup&) {}
  void tell(const std::vector<cf::MediaIntent>& intents) {
    for (const auto& intent : intents) std::visit(*this, intent);
  }
  bool operator==(const Node&) const = default;
};

void check_private(const cf::Change& change) {
  for (uint32_t viewer = 1; viewer < 6; ++viewer)
    for (const auto& m : cf::seen_by(change, cf::ParticipantId(viewer)).chat)
      HUITANG_CHECK(m.is_visible_to(cf::ParticipantId(viewer)));
}

void check_outcomes(cf::Ledger& ledger, cf::Conference& replayed, Node& node) {
  while (auto outcome = ledger.poll_outcome()) {
    if (!outcome->result || !outcome->result->change) continue;
    const cf::Change& change = *outcome->result->change;
    HUITANG_CHECK(replayed.replay({&change, 1}));
    node.tell(outcome->result->media);
    check_private(change);
  }
  Node truth;
  truth.tell(replayed.media());
  HUITANG_CHECK(node == truth);
  HUITANG_CHECK(replayed.snapshot() == ledger.written().snapshot());
  HUITANG_CHECK(ledger.is_consistent() && replayed.is_consistent());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  core::ByteReader in({data, size});
  cf::Create create{"123456789", "fuzz", {}};
  create.settings.may_unmute_self = in.u8() % 2 == 0;
  create.settings.limits = {4, 64, 120, 40, 3, 2, 2};
  auto replayed = *cf::Conference::create(core::WallTime(), create);
  cf::Ledger ledger(replayed);
  Node node;
  int64_t now = 0;
  for (uint64_t token = 0; in.remaining() > 0 && token < 300; ++token) {
    const uint8_t control = in.u8();
    cf::Operation op = operation(in);
    const cf::Actor who = actor(in, op);
    const std::string id = control & 0x70 ? std::string(1, static_cast<char>('a' + (control >> 4) % 4)) : "";
    ledger.handle_command(core::WallTime::from_unix_millis(++now), token, {id, std::move(op)}, who);
    if (control % 4 == 0) continue;  // decided upon changes that are not written yet
    while (auto write = ledger.poll_write())
      control % 16 == 1 ? ledger.handle_write_failed(*write) : ledger.handle_written(*write);
    check_outcomes(ledger, replayed, node);
  }
  return 0;
}
