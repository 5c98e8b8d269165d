// The fast back-end for x86-64: intel-ipsec-mb. GCM through its direct calls (one packet saturates the vector
// units); AES-CM of single packets by its counter mode and OpenSSL's SHA-1; runs of AES-CM packets by its
// synchronous bursts, where many lanes of SHA-1 go side by side.
#include "srtp/backends.h"

#ifndef HUITANG_HAS_IPSEC_MB

namespace huitang::srtp {
std::unique_ptr<Backend> make_ipsec_mb_backend() { return nullptr; }
}  // namespace huitang::srtp

#else

// Without its old names, one of which is a macro SHA1.
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>

#include "core/check.h"
#include "srtp/hmac_sha1.h"

namespace huitang::srtp {
namespace {

struct ManagerDeleter {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using Manager = std::unique_ptr<IMB_MGR, ManagerDeleter>;

class ImbAead final : public Aead {
 public:
  ImbAead(IMB_MGR& manager, core::Bytes key) {
    const bool wide = key.size() == 32;
    if (wide) {
      IMB_AES256_GCM_PRE(&manager, key.data(), &key_);
    } else {
      IMB_AES128_GCM_PRE(&manager, key.data(), &key_);
    }
    encrypt_ = wide ? manager.gcm256_enc : manager.gcm128_enc;
    decrypt_ = wide ? manager.gcm256_dec : manager.gcm128_dec;
  }
  ~ImbAead() override { OPENSSL_cleanse(&key_, sizeof key_); }

  void seal(const Iv& iv, core::Bytes aad, core::Bytes plain, uint8_t* out) override {
    alignas(64) gcm_context_data context;
    encrypt_(&key_, &context, out, plain.empty() ? out : plain.data(), plain.size(), iv.data(), aad.data(),
             aad.size(), out + plain.size(), kAeadTagSize);
  }

  bool open(const Iv& iv, core::Bytes aad, core::MutableBytes sealed) override {
    const size_t size = sealed.size() - kAeadTagSize;
    alignas(64) gcm_context_data context;
    std::array<uint8_t, kAeadTagSize> tag;
    decrypt_(&key_, &context, sealed.data(), sealed.data(), size, iv.data(), aad.data(), aad.size(),
             tag.data(), tag.size());
    return CRYPTO_memcmp(tag.data(), sealed.data() + size, tag.size()) == 0;
  }

 private:
  alignas(64) gcm_key_data key_;  // the header aligns it only for builds that define LINUX
  aes_gcm_enc_dec_t encrypt_;
  aes_gcm_enc_dec_t decrypt_;
};

class ImbCounterMac final : public CounterMac {
 public:
  ImbCounterMac(IMB_MGR& manager, core::Bytes key, core::Bytes auth_key)
      : hmac_(auth_key), manager_(manager) {
    alignas(16) std::array<uint8_t, 16 * 15> decrypt_schedule;
    IMB_AES_KEYEXP_128(&manager, key.data(), schedule_.data(), decrypt_schedule.data());
    OPENSSL_cleanse(decrypt_schedule.data(), decrypt_schedule.size());
    hash_pad(auth_key, 0x36, inner_.data());
    hash_pad(auth_key, 0x5c, outer_.data());
  }
  ~ImbCounterMac() override {
    OPENSSL_cleanse(schedule_.data(), schedule_.size());
    OPENSSL_cleanse(inner_.data(), inner_.size());
    OPENSSL_cleanse(outer_.data(), outer_.size());
  }

  void crypt(const Iv& iv, core::Bytes in, uint8_t* out) override {
    if (in.empty()) return;
    IMB_JOB job{};
    fill_cipher(job, iv, in, out);
    HUITANG_CHECK(IMB_SUBMIT_CIPHER_BURST_NOCHECK(&manager_, &job, 1, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT,
                                                  IMB_KEY_128_BYTES) == 1);
  }
  Tag mac(core::Bytes message, uint32_t suffix) override {
    std::array<uint8_t, 4> bytes;
    core::store_u32(bytes.data(), suffix);
    return hmac_.compute(message, bytes);
  }
  Tag mac(core::Bytes message) override { return hmac_.compute(message, {}); }

  void fill_cipher(IMB_JOB& job, const Iv& iv, core::Bytes in, uint8_t* out) const {
    job.enc_keys = schedule_.data();
    job.dec_keys = schedule_.data();
    job.key_len_in_bytes = IMB_KEY_128_BYTES;
    job.src = in.data();
    job.dst = out;
    job.cipher_start_src_offset_in_bytes = 0;
    job.msg_len_to_cipher_in_bytes = in.size();
    job.iv = iv.data();
    job.iv_len_in_bytes = iv.size();
  }
  void fill_hash(IMB_JOB& job, core::Bytes message, core::MutableBytes tag) const {
    job.src = message.data();
    job.hash_start_src_offset_in_bytes = 0;
    job.msg_len_to_hash_in_bytes = message.size();
    job.auth_tag_output = tag.data();
    job.auth_tag_output_len_in_bytes = tag.size();
    job.u.HMAC._hashed_auth_key_xor_ipad = inner_.data();
    job.u.HMAC._hashed_auth_key_xor_opad = outer_.data();
  }

 private:
  void hash_pad(core::Bytes key, uint8_t pad, uint8_t* out) {
    std::array<uint8_t, SHA_CBLOCK> block;
    block.fill(pad);
    for (size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
    IMB_SHA1_ONE_BLOCK(&manager_, block.data(), out);
  }
  alignas(16) std::array<uint8_t, 16 * 15> schedule_;
  alignas(16) std::array<uint8_t, SHA_DIGEST_LENGTH> inner_;
  alignas(16) std::array<uint8_t, SHA_DIGEST_LENGTH> outer_;
  HmacSha1 hmac_;
  IMB_MGR& manager_;
};

class IpsecMbBackend final : public Backend {
 public:
  IpsecMbBackend(Manager manager, const char* name, size_t lanes)
      : manager_(std::move(manager)), name_(name), lanes_(lanes) {}
  BackendKind kind() const override { return BackendKind::IpsecMb; }
  const char* name() const override { return name_; }
  std::unique_ptr<Aead> make_aead(core::Bytes key) override {
    return std::make_unique<ImbAead>(*manager_, key);
  }
  std::unique_ptr<CounterMac> make_counter_mac(core::Bytes key, core::Bytes auth_key) override {
    return std::make_unique<ImbCounterMac>(*manager_, key, auth_key);
  }

  void protect(std::span<CounterMacJob> jobs) override {
    while (!jobs.empty()) {
      const size_t n = burst_size(jobs.size());
      if (n == 0) return Backend::protect(jobs);
      protect_burst(jobs.first(n));
      jobs = jobs.subspan(n);
    }
  }

 private:
  static constexpr size_t kBurst = 64;

  // A round of the multi-buffer SHA-1 costs the same however few of its lanes are used; below some 3/8 of
  // them packets are cheaper one by one (bench/srtp_bench.cpp: 3.3 µs for 16 lanes against 0.75 µs for one
  // packet).
  size_t burst_size(size_t jobs) const {
    const size_t rest = jobs % lanes_;
    return std::min(kBurst, rest * 8 < lanes_ * 3 ? jobs - rest : jobs);
  }

  // The library gives HMAC-SHA1 tags of 12 or 20 bytes; SRTP sends the first 10.
  static constexpr size_t kComputedTag = 12;

  void protect_burst(std::span<CounterMacJob> jobs) {
    size_t ciphers = 0;
    for (const CounterMacJob& job : jobs) {
      if (job.in.empty()) continue;
      as_imb(job).fill_cipher(imb_jobs_[ciphers++], job.iv, job.in, job.packet + job.header_size);
    }
    HUITANG_CHECK(IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager_.get(), imb_jobs_.data(),
                                                  static_cast<uint32_t>(ciphers), IMB_CIPHER_CNTR,
                                                  IMB_DIR_ENCRYPT, IMB_KEY_128_BYTES) == ciphers);
    for (size_t i = 0; i < jobs.size(); ++i) {
      const CounterMacJob& job = jobs[i];
      const size_t end = job.header_size + job.in.size();
      core::store_u32(job.packet + end, job.suffix);  // where the tag goes afterwards
      as_imb(job).fill_hash(imb_jobs_[i], {job.packet, end + 4}, tags_[i]);
    }
    const auto count = static_cast<uint32_t>(jobs.size());
    HUITANG_CHECK(
        IMB_SUBMIT_HASH_BURST_NOCHECK(manager_.get(), imb_jobs_.data(), count, IMB_AUTH_HMAC_SHA_1) == count);
    for (size_t i = 0; i < jobs.size(); ++i) {
      std::copy_n(tags_[i].begin(), kMacTagSize, jobs[i].packet + jobs[i].header_size + jobs[i].in.size());
    }
  }
  // All ciphers of a run come from this back-end (Backend::protect).
  static const ImbCounterMac& as_imb(const CounterMacJob& job) {
    return static_cast<const ImbCounterMac&>(*job.cipher);
  }

  Manager manager_;
  const char* name_;
  size_t lanes_;
  std::array<IMB_JOB, kBurst> imb_jobs_{};
  std::array<std::array<uint8_t, kComputedTag>, kBurst> tags_{};
};

/// How many SHA-1 states one vector holds.
size_t sha1_lanes_of(IMB_ARCH arch) { return arch == IMB_ARCH_AVX512 ? 16 : arch == IMB_ARCH_AVX2 ? 8 : 4; }

const char* name_of(IMB_ARCH arch) {
  switch (arch) {
    case IMB_ARCH_SSE: return "ipsec-mb (SSE)";
    case IMB_ARCH_AVX: return "ipsec-mb (AVX)";
    case IMB_ARCH_AVX2: return "ipsec-mb (AVX2)";
    case IMB_ARCH_AVX512: return "ipsec-mb (AVX-512)";
    default: return "ipsec-mb";
  }
}

}  // namespace

std::unique_ptr<Backend> make_ipsec_mb_backend() {
  // Asked before a manager is made: without AES-NI the library would emulate, slower than OpenSSL.
  constexpr uint64_t kNeeded = IMB_FEATURE_SSE4_2 | IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
  if ((imb_get_feature_flags() & kNeeded) != kNeeded) return nullptr;
  Manager manager(alloc_mb_mgr(0));
  if (!manager) return nullptr;
  IMB_ARCH arch = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager.get(), &arch);
  if (imb_get_errno(manager.get()) != 0 || arch == IMB_ARCH_NONE || arch == IMB_ARCH_NOAESNI) return nullptr;
  if ((manager->features & IMB_FEATURE_SELF_TEST) != 0 &&
      (manager->features & IMB_FEATURE_SELF_TEST_PASS) == 0) {
    return nullptr;
  }
  return std::make_unique<IpsecMbBackend>(std::move(manager), name_of(arch), sha1_lanes_of(arch));
}

}  // namespace huitang::srtp

#endif
