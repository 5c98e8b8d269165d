// The new process's side of a hand-over (handover.proto).
//
//   auto inherited = take_over.greet(build);       → make workers from it, a listener beside the old one
//   take_over.take_state(workers, …);              the old process stands still meanwhile
//   take_over.await_go();                          then start the workers, replace the listener
//
// Any error is told to the old process, which then goes on; this one has nothing to do but to end.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/result.h"
#include "dtls/identity.h"
#include "rtp/ntp_time.h"
#include "worker/hand_over_channel.h"
#include "worker/worker_thread.h"

namespace huitang::worker {

struct Inheritance {
  dtls::Identity identity;
  std::string node_id;
  core::Instant clock_at;
  rtp::NtpTime clock_ntp;
  std::vector<net::UniqueFd> sockets;  ///< one for each worker
  net::UniqueFd executable;            ///< of the old process, if it could open it
};

/// What the control server goes on with.
struct InheritedRows {
  v1::ControlState rows;
  std::unordered_set<uint64_t> peers;  ///< that live on
};

class TakeOver {
 public:
  explicit TakeOver(net::UniqueFd channel);

  core::Result<Inheritance, std::string> greet(const std::string& build);
  /// Says that everything is prepared, and restores the workers from what then comes.
  core::Result<InheritedRows, std::string> take_state(std::vector<std::unique_ptr<WorkerThread>>& workers);
  /// Says that all was taken over. True: the old process has stopped for good, by its word or by its end.
  bool await_go(size_t peers);
  /// Tells the old process that it must go on.
  void refuse(const std::string& reason);

 private:
  HandOverChannel channel_;
};

}  // namespace huitang::worker
