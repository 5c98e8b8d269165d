// A parser with a fault of the common kind, a length that is believed: `scripts/test` asks of this target that it fails,
// which shows that the others could.
#include <array>
#include <cstring>

#include "core/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || data[0] != 0x80) return 0;
  std::array<uint8_t, 128> out;
  const size_t length = data[1];  // up to 255: neither the input nor `out` needs to have as much
  std::memcpy(out.data(), data + 2, length);
  return out[length / 2] == 0 ? 0 : -1;
}
