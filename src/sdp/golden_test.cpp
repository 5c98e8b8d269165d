// Offers captured from real browsers (tests/golden/capture.mjs) and our answers to them, which the same
// script has applied in those browsers. HUITANG_UPDATE_GOLDEN=1 writes the answers anew; then run the script
// with --verify.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "sdp/answer.h"
#include "sdp/offer.h"

namespace huitang::sdp {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> golden_offers() {
  std::vector<fs::path> offers;
  for (const auto& entry : fs::directory_iterator("tests/golden/sdp"))
    if (entry.path().string().ends_with(".offer.sdp")) offers.push_back(entry.path());
  std::sort(offers.begin(), offers.end());
  return offers;
}

AnswerConfig node_config() {
  AnswerConfig config;
  config.session_id = 4611686018427387904ULL;
  config.ice_ufrag = "Hn7TqPzk";
  config.ice_pwd = "kYb3JrVx9mWcZs5LdQfGt2Pe";
  for (uint8_t i = 0; i < 32; ++i) config.fingerprint.value.push_back(static_cast<uint8_t>(i * 7 + 1));
  config.fingerprint.hash = "sha-256";
  config.candidates = {*parse_candidate("candidate:1 1 udp 2130706431 127.0.0.1 7000 typ host")};
  config.cname = "huitang";
  for (const OfferedLine& line : client_lines({})) {
    LinePlan plan{.mid = line.mid};
    if (!is_source(line.use)) {
      const bool paired =
          line.use == LineUse::AudioSlot || (line.use == LineUse::VideoSlot && line.index < 6);
      const std::string group = paired ? "pair-" : line.use == LineUse::VideoSlot ? "video-" : "share-";
      const uint32_t number = static_cast<uint32_t>(std::stoul(line.mid));
      plan.role = LinePlan::Role::Slot;
      plan.ssrc = 1'000'000 + number;
      plan.rtx_ssrc = 2'000'000 + number;
      plan.stream = group + std::to_string(line.index);
      plan.track = "slot-" + line.mid;
    }
    config.lines.push_back(plan);
  }
  return config;
}

TEST(Golden, offers_of_both_browsers_are_there) {
  size_t chromium = 0;
  size_t firefox = 0;
  for (const auto& path : golden_offers()) {
    chromium += path.filename().string().starts_with("chromium-");
    firefox += path.filename().string().starts_with("firefox-");
  }
  EXPECT_GE(chromium, 2u);
  EXPECT_GE(firefox, 2u);
}

TEST(Golden, offers_survive_parse_and_write) {
  for (const auto& path : golden_offers()) {
    const auto offer = parse_session_description(read_file(path));
    ASSERT_TRUE(offer.has_value()) << path << ": " << to_string(offer.error());
    EXPECT_EQ(offer->media.size(), 28u) << path;
    const auto again = parse_session_description(write_session_description(*offer));
    ASSERT_TRUE(again.has_value()) << path;
    EXPECT_EQ(*again, *offer) << path;
  }
}

TEST(Golden, answers_are_as_the_browsers_accepted_them) {
  for (const auto& path : golden_offers()) {
    const auto answer = make_answer(read_file(path), node_config());
    ASSERT_TRUE(answer.has_value()) << path << ": " << to_string(answer.error());
    std::string name = path.string();
    name.replace(name.rfind(".offer."), 7, ".answer.");
    if (std::getenv("HUITANG_UPDATE_GOLDEN")) std::ofstream(name, std::ios::binary) << answer->text;
    EXPECT_EQ(answer->text, read_file(name)) << name;
  }
}

TEST(Golden, every_line_gets_vp8_or_opus_with_repair_and_feedback) {
  for (const auto& path : golden_offers()) {
    const auto answer = make_answer(read_file(path), node_config());
    ASSERT_TRUE(answer.has_value()) << path;
    for (const NegotiatedLine& line : answer->negotiated.lines) {
      ASSERT_FALSE(line.rejected) << path << " mid " << line.mid;
      EXPECT_NE(line.extensions.of(HeaderExtension::Mid), 0) << path << " mid " << line.mid;
      EXPECT_NE(line.extensions.of(HeaderExtension::TransportCc), 0) << path << " mid " << line.mid;
      if (line.kind == MediaKind::Audio) {
        EXPECT_NE(line.find_codec(Codec::Opus), nullptr);
        EXPECT_NE(line.extensions.of(HeaderExtension::AudioLevel), 0) << path << " mid " << line.mid;
        continue;
      }
      const NegotiatedCodec* vp8 = line.find_codec(Codec::Vp8);
      ASSERT_NE(vp8, nullptr) << path << " mid " << line.mid;
      EXPECT_TRUE(vp8->rtx_payload_type && vp8->nack && vp8->pli && vp8->transport_cc) << path;
    }
    EXPECT_EQ(answer->negotiated.lines[1].rids, (std::vector<std::string>{"q", "h", "f"})) << path;
  }
}

}  // namespace
}  // namespace huitang::sdp
