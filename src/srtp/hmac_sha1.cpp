#define OPENSSL_SUPPRESS_DEPRECATED
#include "srtp/hmac_sha1.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>

namespace huitang::srtp {
namespace {

SHA_CTX hashed_pad(core::Bytes key, uint8_t pad) {
  std::array<uint8_t, SHA_CBLOCK> block;
  block.fill(pad);
  for (size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, block.data(), block.size());
  return context;
}

}  // namespace

HmacSha1::HmacSha1(core::Bytes key) : inner_(hashed_pad(key, 0x36)), outer_(hashed_pad(key, 0x5c)) {}

HmacSha1::~HmacSha1() {
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
}

CounterMac::Tag HmacSha1::compute(core::Bytes message, core::Bytes suffix) const {
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest;
  SHA_CTX context = inner_;
  SHA1_Update(&context, message.data(), message.size());
  if (!suffix.empty()) SHA1_Update(&context, suffix.data(), suffix.size());
  SHA1_Final(digest.data(), &context);
  context = outer_;
  SHA1_Update(&context, digest.data(), digest.size());
  SHA1_Final(digest.data(), &context);
  CounterMac::Tag tag;
  std::copy_n(digest.begin(), tag.size(), tag.begin());
  return tag;
}

}  // namespace huitang::srtp
