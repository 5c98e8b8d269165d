// What a certificate file says, for looking at it: `huitang doctor` and the client that speaks with our own serve.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace huitang::api {

struct CertificateView {
  core::WallTime not_before;
  core::WallTime not_after;
  std::string der;  ///< of the first certificate of the file
};

/// Absent when the text holds no certificate in PEM form.
std::optional<CertificateView> view_certificate(std::string_view pem);
/// Whether the first certificate is good for an IP address or a host name.
bool names_host(std::string_view pem, const std::string& address);
bool fits_key(std::string_view pem, std::string_view key_pem);

}  // namespace huitang::api
