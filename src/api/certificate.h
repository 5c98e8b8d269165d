// TLS identity of the box: a private CA made on first start and a server certificate signed by it, or the
// office's own.
//
// DATA/tls/ca.key ca.crt server.key server.crt, all 0600. The server certificate is made again when it nears
// its end, when it does not name every address it should, and when the CA is another one. The CA outlives it
// by years, so people trust it once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/result.h"
#include "core/time.h"

namespace huitang::api {

struct TlsIdentity {
  std::string chain_pem;
  std::string key_pem;
  std::string ca_pem;          ///< empty with the office's own certificate
  std::string ca_fingerprint;  ///< "AB:CD:…", SHA-256 of the CA certificate; empty likewise
  core::WallTime not_after;
  bool made_now = false;  ///< a new server certificate was just signed
};

struct PrivateCaNames {
  std::string public_address;  ///< IP address or name
  std::string host_name;       ///< of this machine; may be empty
};

inline constexpr int kCaDays = 3650;
inline constexpr int kServerDays = 397;  ///< longest that Safari takes from a CA of one's own
inline constexpr int kRenewDays = 30;    ///< before the end

/// Opens or makes the private CA and its server certificate in `folder`.
core::Result<TlsIdentity, core::Failure> open_private_identity(core::WallTime now, const std::string& folder,
                                                               const PrivateCaNames& names);
/// Reads the office's own certificate; fails when key and certificate do not belong together or it has run
/// out.
core::Result<TlsIdentity, core::Failure> open_own_identity(core::WallTime now, const std::string& cert_file,
                                                           const std::string& key_file);

}  // namespace huitang::api
