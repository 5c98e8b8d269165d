// The old process's side of a hand-over (handover.proto): starts the new process, prepares it while everything
// goes on, then stands still, gives it all, and is done. Whatever goes wrong before the last word, the new
// process is ended and this one goes on as before.
//
//   Greeting ──hello──▶ Preparing ──prepared──▶ Settling ──no open handshakes, or waited long enough──▶ Quieting
//       └────────────────────┴────────────────────┴──▶ Refused ◀── gone, wrong, late ──┐            │ requests done
//                                                                                      Frozen ◀────┘
//                                                                          Done ◀──ready──┘
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/event_loop.h"
#include "net/log.h"
#include "worker/control_server.h"
#include "worker/hand_over_channel.h"
#include "worker/worker_thread.h"

namespace huitang::worker {

struct HandOverConfig {
  std::string executable;              ///< absolute; its name in words, and what is started
  std::vector<std::string> arguments;  ///< of the new process, after the executable's name
  v1::HandOverWelcome welcome;         ///< all but version and workers
};

class HandOver {
 public:
  static constexpr uint32_t kVersionMin = 1;
  static constexpr uint32_t kVersionMax = 1;
  /// Generous, since meanwhile everything goes on: a process that loads from a slow disk.
  static constexpr core::Duration kPreparePatience = core::Duration::seconds(10);
  /// For handshakes under way; those that take longer are not taken along.
  static constexpr core::Duration kSettlePatience = core::Duration::seconds(2);
  /// Media stands still for so long at most before the old process goes on.
  static constexpr core::Duration kFrozenPatience = core::Duration::seconds(5);

  /// Loop, workers and control outlive it. `on_end` comes once, from the loop; the workers are then retired and
  /// the control server still has its clients, or everything goes on.
  HandOver(net::EventLoop& loop, std::vector<std::unique_ptr<WorkerThread>>& workers, ControlServer& control,
           HandOverConfig config, std::function<void(const HandOverOutcome&)> on_end);
  /// Ends the new process unless it has taken over.
  ~HandOver();
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;

  void start();
  /// With a successor that runs already and listens at the other end; pid 0: nothing to end.
  void start_with(net::UniqueFd channel, pid_t child);

 private:
  enum class State { Greeting, Preparing, Settling, Quieting, Frozen, Done, Refused };

  void on_readable();
  void handle(const v1::HandOverMessage& message);
  void handle_hello(const v1::HandOverHello& hello);
  void settle();
  void freeze();
  core::Result<uint32_t, std::string> give_everything();
  void refuse(const std::string& reason);
  void end_child();
  void finish(HandOverOutcome outcome);

  net::EventLoop& loop_;
  std::vector<std::unique_ptr<WorkerThread>>& workers_;
  ControlServer& control_;
  HandOverConfig config_;
  std::function<void(const HandOverOutcome&)> on_end_;
  net::Logger log_;
  State state_ = State::Greeting;
  pid_t child_ = 0;
  std::string build_;
  std::unique_ptr<HandOverChannel> channel_;
  net::TimerId deadline_;  ///< of what comes before everything stands still
  net::TimerId look_;      ///< for open handshakes, again
  core::Instant settle_by_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// The file that this process was started from, as it is now (an upgrade may have put another one there).
/// Empty when the system does not say.
std::string own_executable();

}  // namespace huitang::worker
