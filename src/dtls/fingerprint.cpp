#include "dtls/fingerprint.h"

namespace huitang::dtls {
namespace {

constexpr HashAlgorithm kAlgorithms[] = {HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512};

std::optional<uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  const char lower = static_cast<char>(c | 0x20);
  if (lower >= 'a' && lower <= 'f') return static_cast<uint8_t>(lower - 'a' + 10);
  return std::nullopt;
}

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] | 0x20) : a[i];
    if (c != lower[i]) return false;
  }
  return true;
}

/// "AB:CD:..." of exactly `size` bytes.
std::optional<core::Buffer> parse_digest(std::string_view text, size_t size) {
  if (text.size() != size * 3 - 1) return std::nullopt;
  core::Buffer out;
  out.reserve(size);
  for (size_t i = 0; i < text.size(); i += 3) {
    const auto high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (!high || !low || (i + 2 < text.size() && text[i + 2] != ':')) return std::nullopt;
    out.push_back(static_cast<uint8_t>(*high << 4 | *low));
  }
  return out;
}

}  // namespace

std::string_view to_string(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::Sha256: return "sha-256";
    case HashAlgorithm::Sha384: return "sha-384";
    case HashAlgorithm::Sha512: return "sha-512";
  }
  return "?";
}

std::string to_string(const Fingerprint& fingerprint) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out(to_string(fingerprint.algorithm));
  char separator = ' ';
  for (const uint8_t byte : fingerprint.digest) {
    out += {separator, kDigits[byte >> 4], kDigits[byte & 15]};
    separator = ':';
  }
  return out;
}

std::optional<Fingerprint> parse_fingerprint(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  for (const HashAlgorithm algorithm : kAlgorithms) {
    if (!equals_ignoring_case(text.substr(0, space), to_string(algorithm))) continue;
    auto digest = parse_digest(text.substr(space + 1), digest_size(algorithm));
    if (!digest) return std::nullopt;
    return Fingerprint{algorithm, std::move(*digest)};
  }
  return std::nullopt;
}

}  // namespace huitang::dtls
