// A self-signed ECDSA P-256 certificate with its key: who this process is in DTLS. One per process, shared by
// all its Endpoints; const use is safe from several threads. OpenSSL makes the key from the system's random
// source.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/result.h"
#include "core/time.h"
#include "dtls/fingerprint.h"

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;

namespace huitang::dtls {

class Identity {
 public:
  /// Valid from a day before `now` (clocks differ) for ten years; browsers check the fingerprint, not the
  /// dates.
  static Identity generate(core::WallTime now);
  /// What to_pem gave, in this process or one before it.
  static core::Result<Identity, core::ParseError> from_pem(std::string_view pem);
  Identity(Identity&&) noexcept;
  Identity& operator=(Identity&&) noexcept;
  ~Identity();

  /// Private key and certificate; a secret.
  std::string to_pem() const;
  /// SHA-256.
  const Fingerprint& fingerprint() const { return fingerprint_; }

  /// For Endpoint: the prepared OpenSSL context.
  ssl_ctx_st* context() const { return context_.get(); }

 private:
  struct Free {
    void operator()(evp_pkey_st* p) const;
    void operator()(x509_st* p) const;
    void operator()(ssl_ctx_st* p) const;
  };
  Identity(std::unique_ptr<evp_pkey_st, Free> key, std::unique_ptr<x509_st, Free> certificate);

  std::unique_ptr<evp_pkey_st, Free> key_;
  std::unique_ptr<x509_st, Free> certificate_;
  std::unique_ptr<ssl_ctx_st, Free> context_;
  Fingerprint fingerprint_;
};

}  // namespace huitang::dtls
