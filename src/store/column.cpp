#include <array>

#include "core/bytes.h"
#include "store/journal_codec.h"

namespace huitang::store {
namespace {

// RFC 3720: polynomial 0x1EDC6F41, reflected.
constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
    table[i] = value;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return ~crc;
}

// RFC 4648 section 4, with padding.
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> make_reverse_alphabet() {
  std::array<int8_t, 256> table{};
  for (auto& v : table) v = -1;
  for (size_t i = 0; i < kAlphabet.size(); ++i)
    table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  return table;
}
constexpr auto kReverse = make_reverse_alphabet();

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t k) -> uint32_t {
      return i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u;
    };
    const uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += kAlphabet[group >> 18];
    out += kAlphabet[group >> 12 & 63];
    out += i + 1 < bytes.size() ? kAlphabet[group >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  text.remove_suffix(padding);
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    const int8_t value = kReverse[static_cast<uint8_t>(c)];
    if (value < 0) return std::nullopt;
    group = group << 6 | static_cast<uint32_t>(value);
    if ((bits += 6) >= 8) out += static_cast<char>(group >> (bits -= 8) & 0xFF);
  }
  return out;
}

constexpr size_t kSumBytes = 4;

}  // namespace

std::string write_column(std::string_view bytes) {
  uint8_t sum[kSumBytes];
  core::store_u32(sum, crc32c(bytes));
  std::string framed(core::as_text({sum, kSumBytes}));
  framed += bytes;
  return to_base64(framed);
}

core::Result<std::string, core::ParseError> parse_column(std::string_view column) {
  auto framed = from_base64(column);
  if (!framed) return core::err(core::ParseError::Malformed);
  if (framed->size() < kSumBytes) return core::err(core::ParseError::Truncated);
  const uint32_t sum = core::load_u32(core::as_bytes(*framed).data());
  framed->erase(0, kSumBytes);
  if (crc32c(*framed) != sum) return core::err(core::ParseError::BadChecksum);
  return *std::move(framed);
}

}  // namespace huitang::store
