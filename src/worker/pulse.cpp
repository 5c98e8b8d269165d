#include "worker/pulse.h"

namespace huitang::worker {

Pulse::Pulse(size_t workers, core::Duration patience, Ask ask)
    : patience_(patience), ask_(std::move(ask)), questions_(workers) {}

size_t Pulse::check(core::Instant now) {
  size_t stuck = 0;
  for (size_t i = 0; i < questions_.size(); ++i) {
    Question& question = questions_[i];
    if (!question.is_answered->load()) {
      stuck += now - question.asked > patience_ ? 1 : 0;
      continue;
    }
    question.asked = now;
    question.is_answered->store(false);
    ask_(i, [answered = question.is_answered] { answered->store(true); });
  }
  return stuck;
}

}  // namespace huitang::worker
