// Any bytes as an answer to a bot's offer, and as one candidate.
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "sdp/offer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace huitang::sdp;
  static const SessionDescription offer = [] {
    OfferConfig config;
    config.ice_ufrag = "bot1";
    config.ice_pwd = "botbotbotbotbotbotbotbot";
    config.fingerprint = {"sha-256", {1, 2, 3}};
    config.lines = client_lines({.audio_slots = 1, .video_slots = 1, .share_slots = 0});
    return make_offer(config);
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto negotiated = read_answer(offer, text);
  HUITANG_CHECK(!negotiated || negotiated->lines.size() == offer.media.size());
  const auto candidate = parse_candidate(text);
  if (candidate && text.find_first_of("\r\n") == std::string_view::npos)
    HUITANG_CHECK(*parse_candidate(write_candidate(*candidate)) == *candidate);
  return 0;
}
