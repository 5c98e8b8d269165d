// libsrtp2 as the oracle: each side opens what the other seals, for every kind of packet.
#include <gtest/gtest.h>
#include <srtp2/srtp.h>

#include "srtp/opener.h"
#include "srtp/sealer.h"
#include "srtp/test_support.h"

namespace huitang::srtp {
namespace {

/// One direction of libsrtp2 with a key of ours.
class Oracle {
 public:
  Oracle(const KeyMaterial& key, srtp_ssrc_type_t direction) {
    static const bool initialised = srtp_init() == srtp_err_status_ok;
    EXPECT_TRUE(initialised);
    key_.assign(key.key_bytes().begin(), key.key_bytes().end());
    key_.insert(key_.end(), key.salt_bytes().begin(), key.salt_bytes().end());
    srtp_policy_t policy{};
    switch (key.profile) {
      case Profile::Aes128CmHmacSha1_80:
        srtp_crypto_policy_set_rtp_default(&policy.rtp);
        srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
        break;
      case Profile::AeadAes128Gcm:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
        break;
      case Profile::AeadAes256Gcm:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
        break;
    }
    policy.ssrc.type = direction;
    policy.key = key_.data();
    policy.window_size = 1024;
    EXPECT_EQ(srtp_create(&session_, &policy), srtp_err_status_ok);
  }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;
  ~Oracle() { srtp_dealloc(session_); }

  core::Buffer run(srtp_err_status_t (*function)(srtp_t, void*, int*), core::Bytes in) {
    core::Buffer out(in.begin(), in.end());
    out.resize(in.size() + SRTP_MAX_TRAILER_LEN);
    int size = static_cast<int>(in.size());
    EXPECT_EQ(function(session_, out.data(), &size), srtp_err_status_ok);
    out.resize(static_cast<size_t>(size));
    return out;
  }

 private:
  core::Buffer key_;
  srtp_t session_ = nullptr;
};

using Param = std::tuple<BackendKind, Profile>;
class SrtpAgainstLibsrtp : public testing::TestWithParam<Param> {
 protected:
  std::unique_ptr<Backend> backend_ = make_backend(std::get<0>(GetParam()));
  KeyMaterial key_ = test::make_key(std::get<1>(GetParam()), 7);
  core::SeededRandom random_{1};
};
std::string profile_name(Profile p) {
  return p == Profile::AeadAes128Gcm ? "gcm128" : p == Profile::AeadAes256Gcm ? "gcm256" : "cm80";
}
INSTANTIATE_TEST_SUITE_P(All, SrtpAgainstLibsrtp,
                         testing::Combine(testing::ValuesIn(test::available_backends()),
                                          testing::ValuesIn(test::kProfiles)),
                         [](const auto& row) {
                           return test::to_name(std::get<0>(row.param)) + "_" +
                                  profile_name(std::get<1>(row.param));
                         });

const test::RtpShape kShapes[] = {{0, 0, 100}, {1, 0, 1100}, {0, 3, 1},   {15, 6, 0},  {2, 1, 15},
                                  {0, 0, 16},  {1, 4, 17},   {0, 2, 255}, {3, 9, 1200}};

TEST_P(SrtpAgainstLibsrtp, seals_rtp_that_libsrtp_opens) {
  Sealer sealer(*backend_, key_);
  Oracle oracle(key_, ssrc_any_inbound);
  uint16_t seq = 1000;
  for (const test::RtpShape& shape : kShapes) {
    const test::RtpPacket packet = test::make_rtp(random_, 0xcafe0001, seq, shape);
    core::Buffer out(packet.bytes.size() + kMaxRtpOverhead);
    out.resize(sealer.seal_rtp(seq, packet.header(), packet.payload(), out));
    ASSERT_EQ(out.size(), packet.bytes.size() + sealer.rtp_overhead());
    EXPECT_EQ(oracle.run(srtp_unprotect, out), packet.bytes);
    ++seq;
  }
}

TEST_P(SrtpAgainstLibsrtp, opens_rtp_that_libsrtp_seals) {
  Opener opener(*backend_, key_);
  Oracle oracle(key_, ssrc_any_outbound);
  uint16_t seq = 1000;
  for (const test::RtpShape& shape : kShapes) {
    const test::RtpPacket packet = test::make_rtp(random_, 0xcafe0002, seq, shape);
    core::Buffer sealed = oracle.run(srtp_protect, packet.bytes);
    const auto size = opener.open_rtp(sealed, packet.header_size, 0xcafe0002, seq);
    ASSERT_TRUE(size.has_value());
    sealed.resize(*size);
    EXPECT_EQ(sealed, packet.bytes);
    ++seq;
  }
}

TEST_P(SrtpAgainstLibsrtp, follows_the_roll_over_counter_both_ways) {
  Sealer sealer(*backend_, key_);
  Opener opener(*backend_, key_);
  Oracle in(key_, ssrc_any_inbound), out(key_, ssrc_any_outbound);
  for (uint64_t index = 30'000; index < 200'000; index += 997) {
    const auto seq = static_cast<uint16_t>(index);
    const test::RtpPacket packet = test::make_rtp(random_, 5, seq);
    core::Buffer sealed(packet.bytes.size() + kMaxRtpOverhead);
    sealed.resize(sealer.seal_rtp(index, packet.header(), packet.payload(), sealed));
    ASSERT_EQ(in.run(srtp_unprotect, sealed), packet.bytes);
    core::Buffer theirs = out.run(srtp_protect, packet.bytes);
    ASSERT_EQ(theirs, sealed);
    ASSERT_TRUE(opener.open_rtp(theirs, packet.header_size, 5, seq).has_value());
    ASSERT_EQ(opener.highest_index(5), index);
  }
}

TEST_P(SrtpAgainstLibsrtp, exchanges_compound_rtcp_both_ways) {
  Sealer sealer(*backend_, key_);
  Opener opener(*backend_, key_);
  Oracle in(key_, ssrc_any_inbound), out(key_, ssrc_any_outbound);
  for (size_t reports = 0; reports <= 31; ++reports) {
    const core::Buffer packet = test::make_compound_rtcp(random_, 0xabcd, reports);
    core::Buffer sealed(packet.size() + kMaxRtcpOverhead);
    sealed.resize(sealer.seal_rtcp(packet, sealed));
    ASSERT_EQ(in.run(srtp_unprotect_rtcp, sealed), packet);
    core::Buffer theirs = out.run(srtp_protect_rtcp, packet);
    const auto size = opener.open_rtcp(theirs);
    ASSERT_TRUE(size.has_value());
    theirs.resize(*size);
    ASSERT_EQ(theirs, packet);
  }
}

TEST_P(SrtpAgainstLibsrtp, seals_a_batch_for_many_receivers_that_each_libsrtp_opens) {
  // Counts around the widths of the multi-buffer lanes, and one beyond a run.
  for (const size_t receivers : {1u, 2u, 3u, 5u, 16u, 17u, 63u, 65u, 150u}) {
    std::vector<Sealer> sealers;
    std::vector<KeyMaterial> keys;
    for (size_t i = 0; i < receivers; ++i) {
      keys.push_back(test::make_key(std::get<1>(GetParam()), 100 + i));
      sealers.emplace_back(*backend_, keys.back());
    }
    const core::Buffer payload = test::make_rtp(random_, 0, 0, {0, 0, 1100}).bytes;
    std::vector<test::RtpPacket> headers;
    std::vector<core::Buffer> slots(receivers, core::Buffer(1500));
    std::vector<SealJob> jobs;
    for (size_t i = 0; i < receivers; ++i) {
      headers.push_back(
          test::make_rtp(random_, static_cast<uint32_t>(i + 1), static_cast<uint16_t>(i), {1, i % 4, 0}));
    }
    for (size_t i = 0; i < receivers; ++i) {
      const size_t size = i % 7 == 3 ? 0 : payload.size() - i % 3;
      jobs.push_back({&sealers[i], i, headers[i].bytes, core::Bytes(payload).first(size), slots[i]});
    }
    seal_rtp_batch(*backend_, jobs);
    for (size_t i = 0; i < receivers; ++i) {
      core::Buffer expected = headers[i].bytes;
      expected.insert(expected.end(), jobs[i].payload.begin(), jobs[i].payload.end());
      Oracle oracle(keys[i], ssrc_any_inbound);
      ASSERT_EQ(oracle.run(srtp_unprotect, core::Bytes(slots[i]).first(jobs[i].size)), expected);
    }
  }
}

}  // namespace
}  // namespace huitang::srtp
