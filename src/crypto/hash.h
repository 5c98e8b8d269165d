// Digests, message authentication and checksums that protocol engines need. OpenSSL stands behind the
// digests; no OpenSSL type appears here. A failure inside OpenSSL (out of memory, broken provider) is a bug
// and ends the process.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "core/bytes.h"

namespace huitang::crypto {

using Sha1Digest = std::array<uint8_t, 20>;
using Sha256Digest = std::array<uint8_t, 32>;

/// FIPS 180-4.
Sha256Digest sha256(core::Bytes message);

/// RFC 2104 over the concatenation of `parts`; the key may have any length.
Sha1Digest hmac_sha1(core::Bytes key, std::initializer_list<core::Bytes> parts);
Sha256Digest hmac_sha256(core::Bytes key, std::initializer_list<core::Bytes> parts);

/// CRC-32 of ITU V.42 (reflected polynomial 0xEDB88320), as RFC 8489 section 14.7 wants it before its XOR.
/// `crc` is the result over what came before; zero to begin.
uint32_t crc32(core::Bytes message, uint32_t crc = 0);

/// Compares without a data-dependent branch. Lengths are not secret: unequal ones answer at once.
bool constant_time_equal(core::Bytes a, core::Bytes b);

}  // namespace huitang::crypto
