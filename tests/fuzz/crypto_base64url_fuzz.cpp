// Any text: it is refused, or is the one text of the bytes that it gives.
#include "core/check.h"
#include "crypto/base64url.h"

using namespace huitang;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const core::Bytes bytes(data, size);
  const auto read = crypto::from_base64url(core::as_text(bytes));
  if (read) HUITANG_CHECK(crypto::to_base64url(*read) == core::as_text(bytes));
  const auto back = crypto::from_base64url(crypto::to_base64url(bytes));
  HUITANG_CHECK(back && *back == core::Buffer(bytes.begin(), bytes.end()));
  return 0;
}
