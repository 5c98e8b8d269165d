// How often the test program asked for memory so far.
#pragma once

#include <cstddef>

namespace huitang::peer::test {
size_t allocation_count();
}
