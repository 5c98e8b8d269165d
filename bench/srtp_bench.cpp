// Cost of sealing and opening one RTP packet of 1.1 kB: each back-end and profile, and libsrtp2 as packaged.
//
// Sealing goes from one shared payload into a slot, as the node does it (libsrtp2 works in place and so needs
// a copy first). A batch is one packet for many receivers, each with a key of its own; its time is per
// packet.
#include <benchmark/benchmark.h>
#include <srtp2/srtp.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/random.h"
#include "srtp/opener.h"
#include "srtp/sealer.h"

namespace {

using namespace huitang;
using srtp::BackendKind;
using srtp::Profile;

constexpr size_t kHeader = 12 + 4 + 12;  // fixed, one CSRC, two words of extensions with their head
constexpr size_t kPayload = 1100 - kHeader;
constexpr uint32_t kSsrc = 0x1234;

struct Packet {
  Packet() : header(kHeader), payload(kPayload) {
    core::SeededRandom random(1);
    random.fill(header);
    random.fill(payload);
    header[0] = 0x91;
    header[1] = 96;
    core::store_u32(header.data() + 8, kSsrc);
    core::store_u32(header.data() + 16, 0xbede'0002);
  }
  void set_seq(uint64_t index) { core::store_u16(header.data() + 2, static_cast<uint16_t>(index)); }
  core::Buffer header, payload;
};

srtp::KeyMaterial make_key(Profile profile, uint64_t seed) {
  srtp::KeyMaterial key{profile, {}, {}};
  core::SeededRandom random(seed);
  random.fill(key.key);
  random.fill(key.salt);
  return key;
}

void seal(benchmark::State& state, BackendKind kind, Profile profile) {
  const auto backend = srtp::make_backend(kind);
  srtp::Sealer sealer(*backend, make_key(profile, 1));
  Packet packet;
  core::Buffer slot(1500);
  uint64_t index = 0;
  for (auto _ : state) {
    packet.set_seq(++index);
    benchmark::DoNotOptimize(sealer.seal_rtp(index, packet.header, packet.payload, slot));
  }
}

void seal_batch(benchmark::State& state, BackendKind kind, Profile profile, size_t receivers) {
  const auto backend = srtp::make_backend(kind);
  Packet packet;
  std::vector<srtp::Sealer> sealers;
  std::vector<core::Buffer> slots(receivers, core::Buffer(1500));
  std::vector<srtp::SealJob> jobs;
  for (size_t i = 0; i < receivers; ++i) sealers.emplace_back(*backend, make_key(profile, i));
  for (size_t i = 0; i < receivers; ++i)
    jobs.push_back({&sealers[i], 0, packet.header, packet.payload, slots[i]});
  uint64_t index = 0;
  while (state.KeepRunningBatch(static_cast<int64_t>(receivers))) {
    packet.set_seq(++index);
    for (srtp::SealJob& job : jobs) job.index = index;
    srtp::seal_rtp_batch(*backend, jobs);
    benchmark::ClobberMemory();
  }
}

/// Packets to open, sealed outside the measured time; an opener takes each once, so there are many.
constexpr size_t kPrepared = 256;

template <class Open>
void open_prepared(benchmark::State& state, srtp::Backend& backend, const srtp::KeyMaterial& key, Open open) {
  srtp::Sealer sealer(backend, key);
  Packet packet;
  std::vector<core::Buffer> sealed(kPrepared, core::Buffer(1500));
  uint64_t index = 0;
  while (state.KeepRunningBatch(kPrepared)) {
    state.PauseTiming();
    for (core::Buffer& slot : sealed) {
      packet.set_seq(++index);
      slot.resize(1500);
      slot.resize(sealer.seal_rtp(index, packet.header, packet.payload, slot));
    }
    state.ResumeTiming();
    for (size_t i = 0; i < kPrepared; ++i) {
      if (!open(sealed[i], static_cast<uint16_t>(index - kPrepared + 1 + i))) std::abort();
    }
  }
}

void open(benchmark::State& state, BackendKind kind, Profile profile) {
  const auto backend = srtp::make_backend(kind);
  const srtp::KeyMaterial key = make_key(profile, 1);
  srtp::Opener opener(*backend, key);
  open_prepared(state, *backend, key, [&](core::Buffer& packet, uint16_t seq) {
    return opener.open_rtp(packet, kHeader, kSsrc, seq).has_value();
  });
}

class Libsrtp {
 public:
  Libsrtp(const srtp::KeyMaterial& key, srtp_ssrc_type_t direction) {
    if (srtp_init() != srtp_err_status_ok) std::abort();
    key_.assign(key.key_bytes().begin(), key.key_bytes().end());
    key_.insert(key_.end(), key.salt_bytes().begin(), key.salt_bytes().end());
    srtp_policy_t policy{};
    const auto set = key.profile == Profile::AeadAes128Gcm   ? srtp_crypto_policy_set_aes_gcm_128_16_auth
                     : key.profile == Profile::AeadAes256Gcm ? srtp_crypto_policy_set_aes_gcm_256_16_auth
                                                             : srtp_crypto_policy_set_rtp_default;
    set(&policy.rtp);
    set(&policy.rtcp);
    policy.ssrc.type = direction;
    policy.key = key_.data();
    policy.window_size = 1024;
    if (srtp_create(&session_, &policy) != srtp_err_status_ok) std::abort();
  }
  Libsrtp(const Libsrtp&) = delete;
  Libsrtp& operator=(const Libsrtp&) = delete;
  ~Libsrtp() { srtp_dealloc(session_), srtp_shutdown(); }
  bool protect(uint8_t* packet, int size) {
    return srtp_protect(session_, packet, &size) == srtp_err_status_ok;
  }
  bool unprotect(uint8_t* packet, int size) {
    return srtp_unprotect(session_, packet, &size) == srtp_err_status_ok;
  }

 private:
  core::Buffer key_;
  srtp_t session_ = nullptr;
};

void libsrtp_seal(benchmark::State& state, Profile profile) {
  Libsrtp libsrtp(make_key(profile, 1), ssrc_any_outbound);
  Packet packet;
  core::Buffer slot(1500);
  uint64_t index = 0;
  for (auto _ : state) {
    packet.set_seq(++index);
    std::memcpy(slot.data(), packet.header.data(), kHeader);
    std::memcpy(slot.data() + kHeader, packet.payload.data(), kPayload);
    if (!libsrtp.protect(slot.data(), kHeader + kPayload)) std::abort();
  }
}

void libsrtp_open(benchmark::State& state, Profile profile) {
  const auto backend = srtp::make_best_backend();
  const srtp::KeyMaterial key = make_key(profile, 1);
  Libsrtp libsrtp(key, ssrc_any_inbound);
  open_prepared(state, *backend, key, [&](core::Buffer& packet, uint16_t) {
    return libsrtp.unprotect(packet.data(), static_cast<int>(packet.size()));
  });
}

void add(const std::string& name, auto function, auto... arguments) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { function(state, arguments...); });
}

}  // namespace

int main(int argc, char** argv) {
  static constexpr std::pair<Profile, const char*> kProfiles[] = {
      {Profile::AeadAes128Gcm, "AES-128-GCM"},
      {Profile::AeadAes256Gcm, "AES-256-GCM"},
      {Profile::Aes128CmHmacSha1_80, "AES-128-CM + HMAC-SHA1-80"}};
  for (const auto& [profile, profile_name] : kProfiles) {
    const std::string after = std::string(" ") + profile_name + ", ";
    for (const BackendKind kind : {BackendKind::IpsecMb, BackendKind::OpenSsl}) {
      const auto backend = srtp::make_backend(kind);
      if (!backend) continue;
      add("seal" + after + backend->name(), &seal, kind, profile);
      for (const size_t receivers : {4, 16, 64}) {
        add("seal" + after + backend->name() + ", batch of " + std::to_string(receivers), &seal_batch, kind,
            profile, receivers);
      }
      add("open" + after + backend->name(), &open, kind, profile);
    }
    add("seal" + after + "libsrtp2", &libsrtp_seal, profile);
    add("open" + after + "libsrtp2", &libsrtp_open, profile);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
