// The certificate that browsers see: its term, its names, and whether it fits its key.
#pragma once

#include <optional>

#include "core/time.h"
#include "doctor/finding.h"

namespace huitang::doctor {

struct CertificateFacts {
  std::string file;
  bool is_private = true;  ///< of our own authority, which renews it
  bool is_readable = true;
  bool is_parsed = true;
  bool fits_key = true;
  core::WallTime not_before;
  core::WallTime not_after;
  bool names_public_address = true;
  std::string public_address;
  /// What serve shows is what the file holds; absent when serve was not reached.
  std::optional<bool> is_served;
};

Finding check_certificate(const CertificateFacts& facts, core::WallTime now);

}  // namespace huitang::doctor
