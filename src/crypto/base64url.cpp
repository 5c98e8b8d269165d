#include "crypto/base64url.h"

#include <array>

namespace huitang::crypto {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr uint8_t kForeign = 0xff;

consteval std::array<uint8_t, 256> make_reverse() {
  std::array<uint8_t, 256> reverse{};
  for (auto& r : reverse) r = kForeign;
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    reverse[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return reverse;
}
constexpr std::array<uint8_t, 256> kReverse = make_reverse();

}  // namespace

std::string to_base64url(core::Bytes bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t pending = 0;
  int bits = 0;
  for (const uint8_t byte : bytes) {
    pending = pending << 8 | byte;
    for (bits += 8; bits >= 6;) {
      bits -= 6;
      out.push_back(kAlphabet[pending >> bits & 63]);
    }
  }
  if (bits > 0) out.push_back(kAlphabet[pending << (6 - bits) & 63]);
  return out;
}

std::optional<core::Buffer> from_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  core::Buffer out;
  out.reserve(text.size() * 3 / 4);
  uint32_t pending = 0;
  int bits = 0;
  for (const char c : text) {
    const uint8_t value = kReverse[static_cast<uint8_t>(c)];
    if (value == kForeign) return std::nullopt;
    pending = pending << 6 | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<uint8_t>(pending >> bits));
    }
  }
  if ((pending & ((1u << bits) - 1)) != 0) return std::nullopt;
  return out;
}

}  // namespace huitang::crypto
