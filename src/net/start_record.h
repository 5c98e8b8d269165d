// How often in a row a service ended soon after its start, and how long it waits for that before it tries again.
//
// systemd restarts what ended after the same pause each time (growing pauses came with version 254), so a service that
// cannot live would be started each second for ever, and nobody told. Instead each start is counted in a file of the
// folder that the supervisor keeps for the service ($RUNTIME_DIRECTORY, emptied when the machine starts), and taken back
// once the process has lived for a while or ends in order. Without that variable – by hand, in tests, as a child of
// serve, which has pauses and an alarm of its own – there is no record and no pause.
//
// The other service of the box reads the record, too: serve raises the alarm for media (app/serve_watch.h). A file that
// is missing or makes no sense counts as none: the record may delay a start, never prevent it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace huitang::net {

/// From so many quick ends in a row on it is an alarm.
inline constexpr uint32_t kCrashLoop = 3;

/// None after the first: what is killed once is back at once. Then a second, doubling, up to half a minute.
core::Duration pause_before_start(uint32_t quick_ends);

class StartRecord {
 public:
  /// A process that ran this long was not ended by what its start does.
  static constexpr core::Duration kLived = core::Duration::seconds(10);

  /// The file `NAME.starts` in $RUNTIME_DIRECTORY; absent without the variable.
  static std::optional<StartRecord> of_service(std::string_view name);
  explicit StartRecord(std::string path) : path_(std::move(path)) {}

  /// Starts since the last process that lived. One under way counts, too, until it has lived.
  uint32_t count() const;
  /// A process begins; it has not lived yet.
  void handle_start();
  /// It has lived, or ends as it was told to.
  void handle_lived();

 private:
  void write(uint32_t count) const;
  std::string path_;
};

/// For the very beginning of a service, before any thread: counts the start, and when those before it ended soon, waits
/// while the supervisor is told how long and why. False when it was told to end meanwhile.
bool await_turn_to_start(std::string_view service);

}  // namespace huitang::net
