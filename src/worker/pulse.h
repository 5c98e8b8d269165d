// Whether the worker threads still turn: each is asked to answer, and one that has not for too long is stuck.
//
// A worker that waits for packets is well, so silence alone says nothing; only an unanswered question does.
// For the supervisor's watchdog and for `huitang doctor`. Fed by the control thread's timer.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "core/time.h"

namespace huitang::worker {

class Pulse {
 public:
  /// Hands `answer` to worker `index`, to be called on its thread.
  using Ask = std::function<void(size_t index, std::function<void()> answer)>;

  Pulse(size_t workers, core::Duration patience, Ask ask);

  /// Asks each worker that has answered the last question, and says how many are stuck at the moment: those
  /// whose question is older than `patience`.
  size_t check(core::Instant now);

 private:
  struct Question {
    core::Instant asked;
    // Outlives this object inside a question that a stuck worker may still answer.
    std::shared_ptr<std::atomic<bool>> is_answered = std::make_shared<std::atomic<bool>>(true);
  };
  core::Duration patience_;
  Ask ask_;
  std::vector<Question> questions_;
};

}  // namespace huitang::worker
