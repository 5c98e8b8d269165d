// Sealing and opening must not touch the heap. Counts C++ and OpenSSL allocations of this program.
#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "srtp/opener.h"
#include "srtp/sealer.h"
#include "srtp/test_support.h"

namespace {

std::atomic<uint64_t> allocations{0};

void* counted_malloc(size_t size, const char*, int) {
  ++allocations;
  return std::malloc(size);
}
void* counted_realloc(void* p, size_t size, const char*, int) {
  ++allocations;
  return std::realloc(p, size);
}
void counted_free(void* p, const char*, int) { std::free(p); }
// Before main, because OpenSSL takes it only before its first allocation.
const bool openssl_is_counted = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) == 1;

}  // namespace

void* operator new(size_t size) {
  ++allocations;
  void* p = std::malloc(size);
  if (!p) throw std::bad_alloc();
  return p;
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace huitang::srtp {
namespace {

TEST(SrtpAllocation, counter_sees_cpp_and_openssl) {
  ASSERT_TRUE(openssl_is_counted);
  const uint64_t before = allocations;
  const auto backend = make_backend(BackendKind::OpenSsl);
  const uint64_t after_new = allocations;
  const auto aead = backend->make_aead(core::Buffer(16));
  EXPECT_GT(after_new, before);
  EXPECT_GT(allocations, after_new + 2);
}

TEST(SrtpAllocation, sealing_and_opening_allocate_nothing) {
  for (const BackendKind kind : test::available_backends()) {
    for (const Profile profile : test::kProfiles) {
      const auto backend = make_backend(kind);
      const KeyMaterial key = test::make_key(profile, 1);
      Sealer sealer(*backend, key);
      Opener opener(*backend, key);
      core::SeededRandom random(1);
      test::RtpPacket packet = test::make_rtp(random, 1, 0, {1, 2, 1000});
      const core::Buffer rtcp = test::make_compound_rtcp(random, 1);
      std::vector<core::Buffer> slots(20, core::Buffer(1500));
      std::vector<SealJob> jobs(20);

      const uint64_t before = allocations;
      for (uint16_t seq = 0; seq < 50; ++seq) {
        core::store_u16(packet.bytes.data() + 2, seq);
        const size_t size = sealer.seal_rtp(seq, packet.header(), packet.payload(), slots[0]);
        (void)opener.open_rtp(core::MutableBytes(slots[0]).first(size), packet.header_size, 1, seq);
        const size_t rtcp_size = sealer.seal_rtcp(rtcp, slots[0]);
        (void)opener.open_rtcp(core::MutableBytes(slots[0]).first(rtcp_size));
      }
      for (size_t i = 0; i < jobs.size(); ++i) {
        jobs[i] = {&sealer, 100 + i, packet.header(), packet.payload(), slots[i]};
      }
      seal_rtp_batch(*backend, jobs);
      EXPECT_EQ(allocations, before) << test::to_name(kind) << " " << to_string(profile);
      EXPECT_EQ(opener.counters().opened, 100u);
    }
  }
}

}  // namespace
}  // namespace huitang::srtp
