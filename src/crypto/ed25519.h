// Ed25519 signatures (RFC 8032), for tokens and for naming nodes. Keys are the RFC's plain 32 bytes; OpenSSL
// does the arithmetic behind them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "core/bytes.h"
#include "core/random.h"

struct evp_pkey_st;

namespace huitang::crypto {

using Ed25519Signature = std::array<uint8_t, 64>;

struct EvpKeyDeleter {
  void operator()(evp_pkey_st* key) const;
};
using EvpKey = std::unique_ptr<evp_pkey_st, EvpKeyDeleter>;

/// Verifies. Const functions may be called from several threads at once.
class Ed25519PublicKey {
 public:
  static constexpr size_t kSize = 32;
  explicit Ed25519PublicKey(const std::array<uint8_t, kSize>& bytes);

  const std::array<uint8_t, kSize>& bytes() const { return bytes_; }
  /// False for a wrong signature, a signature of the wrong length and a key that is no point of the curve.
  bool verify(core::Bytes message, core::Bytes signature) const;

 private:
  std::array<uint8_t, kSize> bytes_;
  EvpKey key_;
};

/// Signs. Moves, does not copy; the seed is wiped when the key goes.
class Ed25519Key {
 public:
  using Seed = std::array<uint8_t, 32>;
  static Ed25519Key generate(core::Random& random);
  static Ed25519Key from_seed(const Seed& seed);
  Ed25519Key(Ed25519Key&&) = default;
  Ed25519Key& operator=(Ed25519Key&&) = default;
  ~Ed25519Key();

  /// The private half, for storing.
  const Seed& to_seed() const { return seed_; }
  const Ed25519PublicKey& public_key() const { return public_key_; }
  Ed25519Signature sign(core::Bytes message) const;

 private:
  explicit Ed25519Key(const Seed& seed);
  Seed seed_;
  EvpKey key_;
  Ed25519PublicKey public_key_;
};

}  // namespace huitang::crypto
