// The ciphers under SRTP: one interface, two implementations chosen at run time.
//
// A Backend belongs to one thread (the multi-buffer library keeps its lanes in it) and outlives the Sealers
// and Openers made from it; a worker has one. After construction nothing here allocates.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "core/bytes.h"
#include "srtp/key.h"

namespace huitang::srtp {

inline constexpr size_t kAeadTagSize = 16;
inline constexpr size_t kMacTagSize = 10;

/// AES-GCM with expanded keys.
class Aead {
 public:
  using Iv = std::array<uint8_t, 12>;
  virtual ~Aead() = default;
  /// Writes plain.size() + 16 bytes to `out`, which may be the address of `plain` but not overlap it
  /// otherwise.
  virtual void seal(const Iv& iv, core::Bytes aad, core::Bytes plain, uint8_t* out) = 0;
  /// Decrypts all but the last 16 bytes (the tag) in place. False: the tag is wrong and the bytes are
  /// undefined.
  virtual bool open(const Iv& iv, core::Bytes aad, core::MutableBytes sealed) = 0;
};

/// AES-128 in counter mode and HMAC-SHA1 cut to 80 bits, with expanded keys.
class CounterMac {
 public:
  using Iv = std::array<uint8_t, 16>;
  using Tag = std::array<uint8_t, kMacTagSize>;
  virtual ~CounterMac() = default;
  /// `out` receives in.size() bytes and may be the address of `in`.
  virtual void crypt(const Iv& iv, core::Bytes in, uint8_t* out) = 0;
  /// Over `message` followed by the four bytes of `suffix` (the roll-over counter), most significant first.
  virtual Tag mac(core::Bytes message, uint32_t suffix) = 0;
  /// Over `message` alone.
  virtual Tag mac(core::Bytes message) = 0;
};

/// One packet of a multi-buffer run: `in` is encrypted to `packet + header_size`, then the tag over
/// packet[0, header_size + in.size()) and `suffix` is written behind it. The packet has at least 10 bytes of
/// room there.
struct CounterMacJob {
  CounterMac* cipher = nullptr;
  CounterMac::Iv iv{};
  core::Bytes in;
  uint8_t* packet = nullptr;
  size_t header_size = 0;
  uint32_t suffix = 0;
};

enum class BackendKind { IpsecMb, OpenSsl };

class Backend {
 public:
  virtual ~Backend() = default;
  virtual BackendKind kind() const = 0;
  /// For logs: "ipsec-mb (AVX512)", "OpenSSL EVP".
  virtual const char* name() const = 0;
  virtual std::unique_ptr<Aead> make_aead(core::Bytes key) = 0;
  virtual std::unique_ptr<CounterMac> make_counter_mac(core::Bytes key, core::Bytes auth_key) = 0;
  /// All ciphers must come from this Backend.
  virtual void protect(std::span<CounterMacJob> jobs);
};

/// Null when the kind is not built in or this processor cannot run it.
std::unique_ptr<Backend> make_backend(BackendKind kind);
/// The fastest one that works here; never null.
std::unique_ptr<Backend> make_best_backend();

}  // namespace huitang::srtp
