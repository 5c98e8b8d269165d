#include "net/start_record.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace huitang::net {
namespace {

using core::Duration;

class StartRecordTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(folder_);
    ::setenv("RUNTIME_DIRECTORY", folder_.c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("RUNTIME_DIRECTORY");
    std::filesystem::remove_all(folder_);
  }
  void write(const std::string& text) { std::ofstream(file_) << text; }
  std::string folder_ =
      std::filesystem::temp_directory_path() / ("huitang-starts-" + std::to_string(::getpid()));
  std::string file_ = folder_ + "/media.starts";
};

TEST(PauseBeforeStart, is_none_after_one_end_then_doubles_up_to_a_cap) {
  EXPECT_EQ(pause_before_start(0), Duration());
  EXPECT_EQ(pause_before_start(1), Duration());
  EXPECT_EQ(pause_before_start(2), Duration::seconds(1));
  EXPECT_EQ(pause_before_start(3), Duration::seconds(2));
  EXPECT_EQ(pause_before_start(6), Duration::seconds(16));
  EXPECT_EQ(pause_before_start(7), Duration::seconds(30));
  EXPECT_EQ(pause_before_start(4'000'000'000), Duration::seconds(30));
}

TEST_F(StartRecordTest, counts_starts_until_one_has_lived) {
  StartRecord record(file_);
  EXPECT_EQ(record.count(), 0u);
  for (uint32_t i = 1; i <= kCrashLoop; ++i) {
    record.handle_start();
    EXPECT_EQ(StartRecord(file_).count(), i);  // of the file, not of the object
  }
  record.handle_lived();
  EXPECT_EQ(StartRecord(file_).count(), 0u);
}

TEST_F(StartRecordTest, takes_a_damaged_file_for_none) {
  for (const char* text : {"", "x", "-1", "99999999999999999999", "2000000000", "\n\n"}) {
    write(text);
    EXPECT_EQ(StartRecord(file_).count(), 0u) << text;
  }
  StartRecord(folder_ + "/absent/media.starts").handle_start();  // cannot be written: no harm
}

TEST_F(StartRecordTest, lies_in_the_first_runtime_folder_of_the_service) {
  ::setenv("RUNTIME_DIRECTORY", (folder_ + ":/run/other").c_str(), 1);
  StartRecord::of_service("media")->handle_start();
  EXPECT_EQ(StartRecord(file_).count(), 1u);
  for (const char* none : {"", "relative", ":"}) {
    ::setenv("RUNTIME_DIRECTORY", none, 1);
    EXPECT_FALSE(StartRecord::of_service("media")) << none;
  }
}

TEST_F(StartRecordTest, lets_a_service_without_quick_ends_start_at_once) {
  EXPECT_TRUE(await_turn_to_start("media"));
  EXPECT_EQ(StartRecord(file_).count(), 1u);
  ::unsetenv("RUNTIME_DIRECTORY");
  EXPECT_TRUE(await_turn_to_start("media"));
  EXPECT_EQ(StartRecord(file_).count(), 1u) << "counted without a supervisor";
}

TEST_F(StartRecordTest, ends_a_pause_in_order_when_it_is_told_to) {
  write("12\n");
  sigset_t ends, before;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, &before);
  ::raise(SIGTERM);  // waits there, so that the pause ends as it begins
  EXPECT_FALSE(await_turn_to_start("media"));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(StartRecord(file_).count(), 0u) << "an administrator's stop counts as an end";
}

}  // namespace
}  // namespace huitang::net
