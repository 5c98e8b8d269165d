// Any bytes as a description: what is taken must survive write and parse unchanged, and answering it must not
// fail in any way but by an error.
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "sdp/answer.h"

namespace {

using namespace huitang::sdp;

AnswerConfig plan_for(const SessionDescription& offer) {
  AnswerConfig config;
  config.ice_ufrag = "node";
  config.ice_pwd = "nodenodenodenodenodenode";
  config.fingerprint = {"sha-256", {1, 2, 3}};
  config.cname = "c";
  uint32_t ssrc = 1;
  for (const MediaDescription& media : offer.media) {
    const bool is_slot = media.direction == Direction::RecvOnly;
    config.lines.push_back({.mid = media.mid,
                            .role = is_slot ? LinePlan::Role::Slot : LinePlan::Role::Source,
                            .ssrc = ssrc++,
                            .rtx_ssrc = ssrc++,
                            .stream = "s",
                            .track = "t"});
  }
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto offer = parse_session_description(text);
  if (!offer) {
    HUITANG_CHECK(!offer.error().reason.empty());
    return 0;
  }
  const auto again = parse_session_description(write_session_description(*offer));
  HUITANG_CHECK(again.has_value() && *again == *offer);
  const auto answer = make_answer(*offer, plan_for(*offer));
  if (!answer) return 0;
  // What we wrote ourselves is well formed and mirrors the offer.
  const auto reread = parse_session_description(answer->text);
  HUITANG_CHECK(reread.has_value() && reread->media.size() == offer->media.size());
  return 0;
}
