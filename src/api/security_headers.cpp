#include "api/security_headers.h"

#include <algorithm>

namespace huitang::api {

bool is_plain_host(std::string_view host) {
  auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._:[]").find(c) != std::string_view::npos;
  };
  return !host.empty() && host.size() <= 260 && std::ranges::all_of(host, is_good);
}

std::vector<std::pair<std::string_view, std::string>> security_headers(std::string_view host) {
  // Older engines do not take 'self' for wss:, so the socket's origin is named as well.
  const std::string socket = is_plain_host(host) ? " wss://" + std::string(host) : "";
  return {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src "
       "'self'; "
       "media-src 'self' blob:; worker-src 'self' blob:; manifest-src 'self'; connect-src 'self'" +
           socket + "; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"X-Frame-Options", "DENY"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Permissions-Policy",
       "camera=(self), microphone=(self), display-capture=(self), speaker-selection=(self), "
       "fullscreen=(self), "
       "screen-wake-lock=(self), autoplay=(self), picture-in-picture=(self), geolocation=(), usb=(), "
       "serial=()"},
  };
}

}  // namespace huitang::api
