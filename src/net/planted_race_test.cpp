// Two threads that count without asking each other. Skipped, but for `scripts/test`, which asks of it under the
// thread sanitizer that it fails: that shows that a race in the other tests would be reported.
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

namespace huitang::net {
namespace {

TEST(PlantedRace, is_reported_by_the_thread_sanitizer) {
  if (std::getenv("HUITANG_PLANTED_RACE") == nullptr) GTEST_SKIP();
  int64_t count = 0;
  const auto add = [&count] {
    for (int i = 0; i < 100'000; ++i) count = count + 1;
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace huitang::net
