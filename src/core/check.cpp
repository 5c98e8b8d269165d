#include "core/check.h"

#include <cstdio>
#include <cstdlib>

namespace huitang::core {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "CHECK failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace huitang::core
