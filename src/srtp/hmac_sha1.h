// HMAC-SHA1 with a fixed key (RFC 2104), cut to 80 bits, for one packet at a time.
//
// OpenSSL's SHA_CTX is used although 3.0 calls its functions deprecated: it is a plain struct that can be
// copied, while every way through EVP_MAC allocates for each message.
#pragma once

#include <openssl/sha.h>

#include "core/bytes.h"
#include "srtp/backend.h"

namespace huitang::srtp {

class HmacSha1 {
 public:
  /// `key` is at most one block (64 bytes).
  explicit HmacSha1(core::Bytes key);
  ~HmacSha1();
  CounterMac::Tag compute(core::Bytes message, core::Bytes suffix) const;

 private:
  SHA_CTX inner_;
  SHA_CTX outer_;
};

}  // namespace huitang::srtp
