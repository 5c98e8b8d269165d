// An IP address and port as a plain value; text and sockaddr conversions live in `net`.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace huitang::core {

/// IPv4 is kept in the last four bytes of the v4-mapped form (::ffff:a.b.c.d), so equal addresses compare equal.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};
  bool is_v4() const {
    static constexpr std::array<uint8_t, 12> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(bytes.data(), prefix.data(), prefix.size()) == 0;
  }
  static IpAddress v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}};
  }
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

struct SocketAddress {
  IpAddress ip;
  uint16_t port = 0;
  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

/// "192.0.2.1", "2001:db8::1" (RFC 5952); no brackets.
std::string to_string(const IpAddress& ip);
/// "192.0.2.1:5000", "[2001:db8::1]:5000".
std::string to_string(const SocketAddress& address);
/// Absent when the text is no IPv4 or IPv6 literal.
std::optional<IpAddress> parse_ip(std::string_view text);

}  // namespace huitang::core

template <>
struct std::hash<huitang::core::SocketAddress> {
  size_t operator()(const huitang::core::SocketAddress& a) const {
    uint64_t lo, hi;
    std::memcpy(&hi, a.ip.bytes.data(), 8);
    std::memcpy(&lo, a.ip.bytes.data() + 8, 8);
    uint64_t h = (hi * 0x9e3779b97f4a7c15ULL ^ lo) + a.port * 0xbf58476d1ce4e5b9ULL;
    return static_cast<size_t>((h ^ (h >> 29)) * 0x94d049bb133111ebULL);
  }
};
