// core::SocketAddress to and from the kernel's form. Private to net.
#pragma once

#include <netinet/in.h>

#include <cstring>

#include "core/address.h"

namespace huitang::net {

struct KernelAddress {
  sockaddr_in6 storage{};  // large enough for both families
  socklen_t size = 0;
};

/// On an IPv6 socket (`v6_socket`) IPv4 goes out in its mapped form.
inline KernelAddress to_kernel(const core::SocketAddress& address, bool v6_socket) {
  KernelAddress out;
  if (address.ip.is_v4() && !v6_socket) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, address.ip.bytes.data() + 12, 4);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
  } else {
    out.storage.sin6_family = AF_INET6;
    out.storage.sin6_port = htons(address.port);
    std::memcpy(&out.storage.sin6_addr, address.ip.bytes.data(), 16);
    out.size = sizeof out.storage;
  }
  return out;
}

inline core::SocketAddress from_kernel(const sockaddr_in6& raw) {
  core::SocketAddress address;
  if (raw.sin6_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &raw, sizeof v4);
    uint8_t b[4];
    std::memcpy(b, &v4.sin_addr, 4);
    address.ip = core::IpAddress::v4(b[0], b[1], b[2], b[3]);
    address.port = ntohs(v4.sin_port);
  } else {
    std::memcpy(address.ip.bytes.data(), &raw.sin6_addr, 16);
    address.port = ntohs(raw.sin6_port);
  }
  return address;
}

inline bool is_unset(const core::IpAddress& ip) { return ip == core::IpAddress(); }

}  // namespace huitang::net
