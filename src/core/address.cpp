#include "core/address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace huitang::core {

std::string to_string(const IpAddress& ip) {
  char text[INET6_ADDRSTRLEN] = {};
  if (ip.is_v4())
    inet_ntop(AF_INET, ip.bytes.data() + 12, text, sizeof text);
  else
    inet_ntop(AF_INET6, ip.bytes.data(), text, sizeof text);
  return text;
}

std::string to_string(const SocketAddress& address) {
  std::string ip = to_string(address.ip);
  return (address.ip.is_v4() ? ip : "[" + ip + "]") + ":" + std::to_string(address.port);
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  char copy[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof copy) return std::nullopt;
  std::copy(text.begin(), text.end(), copy);
  uint8_t v4[4];
  if (inet_pton(AF_INET, copy, v4) == 1) return IpAddress::v4(v4[0], v4[1], v4[2], v4[3]);
  IpAddress ip;
  if (inet_pton(AF_INET6, copy, ip.bytes.data()) == 1) return ip;
  return std::nullopt;
}

}  // namespace huitang::core
