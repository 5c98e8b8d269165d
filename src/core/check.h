// CHECK ends the process on a bug; DCHECK does so in sanitized builds only. Neither may depend on outside input.
#pragma once

namespace huitang::core {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define HUITANG_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::huitang::core::check_failed(#condition, __FILE__, __LINE__))

#ifdef HUITANG_DCHECKS
#define HUITANG_DCHECK(condition) HUITANG_CHECK(condition)
#else
#define HUITANG_DCHECK(condition) static_cast<void>(0)
#endif
