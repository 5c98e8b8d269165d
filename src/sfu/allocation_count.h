// How often this test program asked for memory so far.
#pragma once

#include <cstddef>

namespace huitang::sfu::testing {
size_t allocation_count();
}
