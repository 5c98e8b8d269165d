// The operating system's random source as core::Random (RAND_bytes: seeded and reseeded by OpenSSL,
// thread-safe). For shells to construct and pass down; engines and tests see only core::Random.
#pragma once

#include <string>

#include "core/random.h"

namespace huitang::crypto {

class SystemRandom final : public core::Random {
 public:
  void fill(std::span<uint8_t> out) override;
};

/// An unguessable text for session ids, invitations and the like: base64url of `entropy_bytes` random bytes.
/// The default of 16 bytes gives 22 characters and 128 bits.
std::string make_token(core::Random& random, size_t entropy_bytes = 16);

}  // namespace huitang::crypto
