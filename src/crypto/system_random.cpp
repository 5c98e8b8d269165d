#include "crypto/system_random.h"

#include <openssl/rand.h>

#include <algorithm>
#include <climits>
#include <string_view>
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

std::string make_alphanumeric(core::Random& random, size_t size) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string out(size, '\0');
  for (char& c : out) c = kAlphabet[random.below(kAlphabet.size())];
  return out;
}

}  // namespace huitang::crypto
