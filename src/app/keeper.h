// A child process of serve that is kept alive.
#pragma once

#include <sys/types.h>

#include <string>

#include "api/child_process.h"
#include "core/time.h"

namespace huitang::app {

/// Starts a child when it is wanted and not there; waits longer each time it ends soon after its start. One that is
/// killed now and then is back at once; one that cannot live is tried every few seconds and is an alarm.
class Keeper {
 public:
  /// A process that ran this long was not ended by what its start does.
  static constexpr core::Duration kLived = core::Duration::seconds(2);

  /// With `note`, a file: a child that a serve before us has started under it is taken over while it runs.
  Keeper(std::string what, api::ChildConfig config, std::string note = {});

  /// True when it was started just now.
  bool keep(core::Instant now);
  /// The end of somebody else's child is told to nobody: it has to be looked at.
  void look_after_adopted();
  /// True when the ended process was this one.
  bool handle_end(core::Instant now, const api::ChildEnd& end);
  void stop();
  bool is_running() const { return pid_ > 0; }
  /// It runs, and what ended those before it seems to be over.
  void forgive() { quick_ends_ = 0; }
  bool is_in_crash_loop() const { return quick_ends_ >= kAlarm; }
  uint32_t quick_ends() const { return quick_ends_; }

 private:
  void fall_back(core::Instant now);
  static constexpr core::Duration kShortest = core::Duration::millis(100),
                                  kLongest = core::Duration::seconds(15);
  static constexpr uint32_t kAlarm = 3;
  std::string what_;
  api::ChildConfig config_;
  std::string note_;
  pid_t pid_ = 0;
  bool is_adopted_ = false;
  core::Instant started_at_, not_before_;
  core::Duration pause_;
  uint32_t quick_ends_ = 0;
};

}  // namespace huitang::app
