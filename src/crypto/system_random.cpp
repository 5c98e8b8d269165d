#include "crypto/system_random.h"

#include <openssl/rand.h>

#include <algorithm>
#include <climits>
#include <vector>

#include "core/check.h"
#include "crypto/base64url.h"

namespace huitang::crypto {

void SystemRandom::fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    const size_t n = std::min<size_t>(out.size(), INT_MAX);
    HUITANG_CHECK(RAND_bytes(out.data(), static_cast<int>(n)) == 1);
    out = out.subspan(n);
  }
}

std::string make_token(core::Random& random, size_t entropy_bytes) {
  std::vector<uint8_t> bytes(entropy_bytes);
  random.fill(bytes);
  return to_base64url(bytes);
}

}  // namespace huitang::crypto
