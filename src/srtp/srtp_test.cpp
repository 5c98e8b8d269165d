// Behaviour of Sealer, Opener and the replay window, on every back-end and profile.
#include <gtest/gtest.h>

#include "srtp/opener.h"
#include "srtp/sealer.h"
#include "srtp/test_support.h"

namespace huitang::srtp {
namespace {

using Param = std::tuple<BackendKind, Profile>;

class Srtp : public testing::TestWithParam<Param> {
 protected:
  core::Buffer seal(const test::RtpPacket& packet, uint64_t index) {
    core::Buffer out(packet.bytes.size() + kMaxRtpOverhead);
    out.resize(sealer_.seal_rtp(index, packet.header(), packet.payload(), out));
    return out;
  }
  core::Buffer seal_indexed(uint64_t index, uint32_t ssrc = 1) {
    return seal(test::make_rtp(random_, ssrc, static_cast<uint16_t>(index)), index);
  }
  core::Result<size_t, SrtpError> open_indexed(uint64_t index, uint32_t ssrc = 1) {
    core::Buffer packet = seal_indexed(index, ssrc);
    return opener_.open_rtp(packet, 12, ssrc, static_cast<uint16_t>(index));
  }
  SrtpError refusal(const core::Result<size_t, SrtpError>& result) {
    EXPECT_FALSE(result.has_value());
    return result.error();
  }

  std::unique_ptr<Backend> backend_ = make_backend(std::get<0>(GetParam()));
  KeyMaterial key_ = test::make_key(std::get<1>(GetParam()), 3);
  core::SeededRandom random_{2};
  Sealer sealer_{*backend_, key_};
  Opener opener_{*backend_, key_};
};
INSTANTIATE_TEST_SUITE_P(All, Srtp,
                         testing::Combine(testing::ValuesIn(test::available_backends()),
                                          testing::ValuesIn(test::kProfiles)),
                         [](const auto& row) {
                           const std::string profile = to_string(std::get<1>(row.param));
                           return test::to_name(std::get<0>(row.param)) + "_" + profile;
                         });

TEST_P(Srtp, every_backend_opens_what_this_one_seals) {
  for (const BackendKind other : test::available_backends()) {
    const auto other_backend = make_backend(other);
    Opener opener(*other_backend, key_);
    uint16_t seq = 10;
    for (size_t size = 0; size < 300; size += 7, ++seq) {
      const test::RtpPacket packet = test::make_rtp(random_, 9, seq, {size % 3, size % 5, size});
      core::Buffer sealed = seal(packet, seq);
      ASSERT_EQ(opener.open_rtp(sealed, packet.header_size, 9, seq).value_or(0), packet.bytes.size());
      sealed.resize(packet.bytes.size());
      ASSERT_EQ(sealed, packet.bytes);
    }
  }
}

TEST_P(Srtp, header_may_lie_in_the_slot_already) {
  const test::RtpPacket packet = test::make_rtp(random_, 9, 7, {2, 3, 500});
  const core::Buffer apart = seal(packet, 7);
  core::Buffer slot(1500);
  std::copy(packet.header().begin(), packet.header().end(), slot.begin());
  slot.resize(sealer_.seal_rtp(7, core::Bytes(slot).first(packet.header_size), packet.payload(), slot));
  EXPECT_EQ(slot, apart);
}

TEST_P(Srtp, payload_may_lie_where_it_goes) {
  const test::RtpPacket packet = test::make_rtp(random_, 9, 7, {2, 3, 500});
  const core::Buffer apart = seal(packet, 7);
  core::Buffer slot = packet.bytes;
  slot.resize(1500);
  const core::Bytes view(slot);
  slot.resize(
      sealer_.seal_rtp(7, view.first(packet.header_size), view.subspan(packet.header_size, 500), slot));
  EXPECT_EQ(slot, apart);
}

TEST_P(Srtp, sealing_refuses_a_short_slot_a_short_header_and_a_spent_index) {
  const test::RtpPacket packet = test::make_rtp(random_, 9, 7);
  core::Buffer out(packet.bytes.size() + sealer_.rtp_overhead() - 1);
  EXPECT_EQ(sealer_.seal_rtp(7, packet.header(), packet.payload(), out), 0u);
  out.resize(out.size() + 1);
  EXPECT_EQ(sealer_.seal_rtp(7, packet.header(), packet.payload(), out), out.size());
  EXPECT_EQ(sealer_.seal_rtp(7, packet.header().first(11), packet.payload(), out), 0u);
  EXPECT_EQ(sealer_.seal_rtp(uint64_t{1} << 48, packet.header(), packet.payload(), out), 0u);
  EXPECT_EQ(sealer_.seal_rtp((uint64_t{1} << 48) - 1, packet.header(), packet.payload(), out), out.size());

  std::vector<SealJob> jobs{
      {&sealer_, 7, packet.header(), packet.payload(), core::MutableBytes(out).first(20)},
      {&sealer_, 8, packet.header(), packet.payload(), out}};
  seal_rtp_batch(*backend_, jobs);
  EXPECT_EQ(jobs[0].size, 0u);
  EXPECT_EQ(jobs[1].size, out.size());
}

TEST_P(Srtp, a_change_of_any_byte_is_refused) {
  const test::RtpPacket packet = test::make_rtp(random_, 1, 100, {1, 2, 40});
  const core::Buffer sealed = seal(packet, 100);
  for (size_t i = 0; i < sealed.size(); ++i) {
    core::Buffer changed = sealed;
    changed[i] ^= static_cast<uint8_t>(1u << (i % 8));
    // The caller reads these two from the header, as it would here.
    const uint32_t ssrc = core::load_u32(changed.data() + 8);
    const uint16_t seq = core::load_u16(changed.data() + 2);
    ASSERT_EQ(refusal(opener_.open_rtp(changed, packet.header_size, ssrc, seq)), SrtpError::BadTag) << i;
  }
  EXPECT_EQ(opener_.source_count(), 0u);
  core::Buffer whole = sealed;
  EXPECT_TRUE(opener_.open_rtp(whole, packet.header_size, 1, 100).has_value());
}

TEST_P(Srtp, a_change_of_any_rtcp_byte_is_refused) {
  const core::Buffer packet = test::make_compound_rtcp(random_, 4);
  core::Buffer sealed(packet.size() + kMaxRtcpOverhead);
  sealed.resize(sealer_.seal_rtcp(packet, sealed));
  for (size_t i = 0; i < sealed.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      core::Buffer changed = sealed;
      changed[i] ^= static_cast<uint8_t>(1u << bit);
      ASSERT_FALSE(opener_.open_rtcp(changed).has_value()) << i;
    }
  }
  EXPECT_EQ(opener_.counters().unencrypted, 1u);  // the E bit
  EXPECT_TRUE(opener_.open_rtcp(sealed).has_value());
}

TEST_P(Srtp, another_key_is_refused) {
  KeyMaterial other = key_;
  other.key[0] ^= 1;
  Opener stranger(*backend_, other);
  core::Buffer packet = seal_indexed(1);
  EXPECT_EQ(refusal(stranger.open_rtp(packet, 12, 1, 1)), SrtpError::BadTag);
}

TEST_P(Srtp, short_packets_are_refused) {
  const core::Buffer sealed = seal(test::make_rtp(random_, 1, 1, {0, 0, 0}), 1);
  for (size_t size = 0; size < sealed.size(); ++size) {
    core::Buffer cut(sealed.begin(), sealed.begin() + static_cast<long>(size));
    ASSERT_EQ(refusal(opener_.open_rtp(cut, 12, 1, 1)), SrtpError::Truncated);
  }
  for (size_t size = 0; size < 8 + sealer_.rtcp_overhead(); ++size) {
    core::Buffer cut(size, 0x80);
    ASSERT_EQ(refusal(opener_.open_rtcp(cut)), SrtpError::Truncated);
  }
  EXPECT_EQ(opener_.counters().truncated, sealed.size() + 8 + sealer_.rtcp_overhead());
}

TEST_P(Srtp, a_packet_is_taken_once) {
  for (const uint64_t index : {10u, 12u, 11u}) EXPECT_TRUE(open_indexed(index).has_value());
  for (const uint64_t index : {10u, 11u, 12u}) EXPECT_EQ(refusal(open_indexed(index)), SrtpError::Replayed);
  EXPECT_EQ(opener_.counters().replayed, 3u);
  EXPECT_EQ(opener_.counters().opened, 3u);
}

TEST_P(Srtp, a_packet_behind_the_window_is_refused) {
  EXPECT_TRUE(open_indexed(5000).has_value());
  EXPECT_TRUE(open_indexed(5000 - 1023).has_value());
  EXPECT_EQ(refusal(open_indexed(5000 - 1024)), SrtpError::Replayed);
}

TEST_P(Srtp, a_forged_packet_does_not_move_the_window) {
  EXPECT_TRUE(open_indexed(5000).has_value());
  core::Buffer forged = seal_indexed(20'000);
  forged.back() ^= 1;
  EXPECT_EQ(refusal(opener_.open_rtp(forged, 12, 1, 20'000)), SrtpError::BadTag);
  EXPECT_TRUE(open_indexed(4999).has_value());
}

TEST_P(Srtp, numbers_wrap_with_loss_and_reordering_around_the_wrap) {
  const uint64_t wrap = 0x10000;
  for (const uint64_t index : {wrap - 300, wrap - 2, wrap + 1, wrap - 1, wrap, wrap + 2, wrap - 100}) {
    EXPECT_TRUE(open_indexed(index).has_value()) << index;
  }
  for (uint64_t index = wrap + 2; index < 5 * wrap; index += 20'011)
    EXPECT_TRUE(open_indexed(index + 1).has_value());
  EXPECT_EQ(opener_.highest_index(1) >> 16, 4u);
}

TEST_P(Srtp, sources_are_apart_and_capped) {
  OpenerConfig config;
  config.max_sources = 3;
  Opener opener(*backend_, key_, config);
  for (uint32_t ssrc = 1; ssrc <= 5; ++ssrc) {
    core::Buffer packet = seal_indexed(40, ssrc);
    const auto result = opener.open_rtp(packet, 12, ssrc, 40);
    EXPECT_EQ(result.has_value(), ssrc <= 3);
    if (!result.has_value()) {
      EXPECT_EQ(result.error(), SrtpError::TooManySources);
    }
  }
  EXPECT_EQ(opener.source_count(), 3u);
  EXPECT_EQ(opener.counters().too_many_sources, 2u);
}

TEST_P(Srtp, rtcp_is_taken_once_and_numbered_upward) {
  const core::Buffer packet = test::make_compound_rtcp(random_, 4);
  std::vector<core::Buffer> sealed;
  for (int i = 0; i < 200; ++i) {
    core::Buffer out(packet.size() + kMaxRtcpOverhead);
    out.resize(sealer_.seal_rtcp(packet, out));
    sealed.push_back(out);
  }
  const auto open = [&](size_t i) {
    core::Buffer copy = sealed[i];
    return opener_.open_rtcp(copy);
  };
  EXPECT_TRUE(open(150).has_value());
  EXPECT_TRUE(open(149).has_value());
  EXPECT_EQ(refusal(open(150)), SrtpError::Replayed);
  EXPECT_TRUE(open(199).has_value());
  EXPECT_EQ(refusal(open(199 - 128)), SrtpError::Replayed);
  EXPECT_TRUE(open(199 - 127).has_value());
}

TEST_P(Srtp, rtcp_stops_when_its_indices_are_spent) {
  Sealer sealer(*backend_, SealerState{key_, 0x7fff'ffff});
  const core::Buffer packet = test::make_compound_rtcp(random_, 4);
  core::Buffer out(packet.size() + kMaxRtcpOverhead);
  EXPECT_NE(sealer.seal_rtcp(packet, out), 0u);
  EXPECT_EQ(sealer.seal_rtcp(packet, out), 0u);
}

TEST_P(Srtp, state_moves_to_another_process) {
  const core::Buffer rtcp = test::make_compound_rtcp(random_, 4);
  core::Buffer sealed_rtcp(rtcp.size() + kMaxRtcpOverhead);
  sealed_rtcp.resize(sealer_.seal_rtcp(rtcp, sealed_rtcp));
  core::Buffer replayed_rtcp = sealed_rtcp;
  ASSERT_TRUE(opener_.open_rtcp(sealed_rtcp).has_value());
  for (const uint64_t index : {30'000u, 60'000u, 70'000u, 70'002u})
    ASSERT_TRUE(open_indexed(index).has_value());

  const auto other = make_best_backend();
  Opener opener(*other, opener_.export_state());
  Sealer sealer(*other, sealer_.export_state());
  const auto open = [&](uint64_t index) {
    core::Buffer packet = seal_indexed(index);
    return opener.open_rtp(packet, 12, 1, static_cast<uint16_t>(index));
  };
  EXPECT_EQ(refusal(open(70'000)), SrtpError::Replayed);
  EXPECT_EQ(refusal(open(70'002)), SrtpError::Replayed);
  EXPECT_TRUE(open(70'001).has_value());
  EXPECT_TRUE(open(70'003).has_value());
  EXPECT_EQ(refusal(opener.open_rtcp(replayed_rtcp)), SrtpError::Replayed);
  EXPECT_EQ(sealer.export_state().next_rtcp_index, 1u);
}

TEST(SrtpIndex, takes_the_round_that_is_nearest) {
  EXPECT_EQ(estimate_index(0x0000'0010, 0x0020), 0x0000'0020u);
  EXPECT_EQ(estimate_index(0x0001'0010, 0xfff0), 0x0000'fff0u);
  EXPECT_EQ(estimate_index(0x0001'fff0, 0x0010), 0x0002'0010u);
  EXPECT_EQ(estimate_index(0x0003'7fff, 0xffff), 0x0003'ffffu);  // exactly half a round ahead
  EXPECT_EQ(estimate_index(0x0003'8000, 0x0000), 0x0003'0000u);  // exactly half a round behind
  EXPECT_EQ(estimate_index(0x0000'0010, 0xfff0), 0x0000'fff0u);  // there is no round before the first
}

TEST(ReplayWindow, agrees_with_a_plain_set_over_random_numbers) {
  for (const uint32_t size : {64u, 128u, 1024u}) {
    core::SeededRandom random(size);
    ReplayWindow window(size);
    std::vector<bool> seen(2'000'000);
    uint64_t highest = 0, at = 5000;
    bool started = false;
    for (int i = 0; i < 50'000; ++i) {
      at += random.below(20) == 0 ? random.below(3 * size) : random.below(3);
      const uint64_t index = at - std::min<uint64_t>(at, random.below(size + size / 2));
      if (index >= seen.size()) break;
      const bool expected = !started || index > highest || (highest - index < size && !seen[index]);
      ASSERT_EQ(window.would_accept(index), expected) << i;
      if (!expected) continue;
      window.accept(index);
      seen[index] = true;
      highest = started ? std::max(highest, index) : index;
      started = true;
    }
  }
}

}  // namespace
}  // namespace huitang::srtp
