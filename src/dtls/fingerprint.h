// Certificate fingerprints as they travel in SDP (RFC 8122): "sha-256 12:AB:...".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"

namespace huitang::dtls {

enum class HashAlgorithm { Sha256, Sha384, Sha512 };
constexpr size_t digest_size(HashAlgorithm a) {
  return a == HashAlgorithm::Sha256 ? 32 : a == HashAlgorithm::Sha384 ? 48 : 64;
}
/// "sha-256" and so on.
std::string_view to_string(HashAlgorithm algorithm);

struct Fingerprint {
  HashAlgorithm algorithm = HashAlgorithm::Sha256;
  core::Buffer digest;
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

/// "sha-256 AB:CD:..", the value of a=fingerprint.
std::string to_string(const Fingerprint& fingerprint);
/// From the value of a=fingerprint; either case. Absent for other hash functions (sha-1 and older are
/// refused, RFC 8122 section 5) and for malformed text.
std::optional<Fingerprint> parse_fingerprint(std::string_view text);

}  // namespace huitang::dtls
