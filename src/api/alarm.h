// An alarm by frequency: up when something happened more often than it may within a minute, down again after
// a minute in which it did not.
#pragma once

#include <cstdint>

#include "core/time.h"

namespace huitang::api {

class Alarm {
 public:
  static constexpr core::Duration kWindow = core::Duration::seconds(60);
  explicit Alarm(uint64_t allowed) : allowed_(allowed) {}

  /// One more of it. True when this one raises the alarm.
  bool handle_event(core::Instant now) {
    handle_time(now);
    ++count_;
    if (is_up_ || count_ <= allowed_) return false;
    is_up_ = true;
    return true;
  }
  /// True when the alarm goes down by this.
  bool handle_time(core::Instant now) {
    if (now - began_ < kWindow) return false;
    const bool goes_down = is_up_ && count_ <= allowed_;
    if (goes_down) is_up_ = false;
    began_ = now;
    last_count_ = count_;
    count_ = 0;
    return goes_down;
  }
  bool is_up() const { return is_up_; }
  /// In the window that runs, or in the one before when that had more.
  uint64_t count() const { return count_ > last_count_ ? count_ : last_count_; }

 private:
  uint64_t allowed_;
  uint64_t count_ = 0;
  uint64_t last_count_ = 0;
  bool is_up_ = false;
  core::Instant began_;
};

}  // namespace huitang::api
