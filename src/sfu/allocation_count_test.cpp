// Replaces the global allocator of this test program by one that counts; in a file of its own, because the
// compiler must not see both sides of a replaced pair at once.
#include "sfu/allocation_count.h"

#include <cstdlib>
#include <new>

namespace huitang::sfu::testing {
namespace {
size_t count = 0;
}
size_t allocation_count() { return count; }
}  // namespace huitang::sfu::testing

void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++huitang::sfu::testing::count;
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(size_t size) {
  if (void* p = operator new(size, std::nothrow)) return p;
  std::abort();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
