#include "conference/ledger.h"

#include <algorithm>

#include "core/check.h"

namespace huitang::conference {
namespace {

core::Result<Effects, Refusal> not_written() {
  return core::err(Refusal{v1::REFUSAL_CODE_STORE_UNAVAILABLE, "the change could not be written down"});
}

}  // namespace

void Ledger::handle_command(core::WallTime now, Token token, const Command& command, const Actor& actor) {
  if (waiting_.size() >= kMaxPending) {
    ready_.push_back({token, not_written()});
    return;
  }
  auto result = ahead_.apply(now, command, actor);
  if (result && result->change) to_write_.push_back(*result->change);
  waiting_.push_back({{token, std::move(result)}, ahead_.snapshot().last_change, command.command_id, actor});
  release();
}

void Ledger::handle_written(const Write& write) {
  if (write.attempt != attempt_) return;
  durable_ = std::max(durable_, write.change.number);
  release();
  HUITANG_DCHECK(is_consistent());
}

// The written state remembers settled commands as well, so that falling back to it forgets only what nobody
// was told.
void Ledger::release() {
  while (!waiting_.empty() && waiting_.front().needs <= durable_) {
    Waiting& next = waiting_.front();
    const auto& result = next.outcome.result;
    if (result && result->change)
      written_.commit(*result->change);
    else if (!result)
      written_.remember(next.command_id, next.actor, result.error());
    else if (!result->repeated)
      written_.remember(next.command_id, next.actor, std::nullopt);
    ready_.push_back(std::move(next.outcome));
    waiting_.pop_front();
  }
}

void Ledger::handle_write_failed(const Write& write) {
  if (write.attempt != attempt_) return;
  ++attempt_;
  for (Waiting& w : waiting_) ready_.push_back({w.outcome.token, not_written()});
  waiting_.clear();
  to_write_.clear();
  ahead_ = written_;
  HUITANG_DCHECK(is_consistent());
}

std::optional<Ledger::Write> Ledger::poll_write() {
  if (to_write_.empty()) return std::nullopt;
  Write next{attempt_, std::move(to_write_.front())};
  to_write_.pop_front();
  return next;
}

std::optional<Ledger::Outcome> Ledger::poll_outcome() {
  if (ready_.empty()) return std::nullopt;
  Outcome next = std::move(ready_.front());
  ready_.pop_front();
  return next;
}

bool Ledger::is_consistent() const {
  return written_.snapshot().last_change == durable_ && ahead_.snapshot().last_change >= durable_ &&
         waiting_.size() <= kMaxPending && (!waiting_.empty() || written_.snapshot() == ahead_.snapshot());
}

}  // namespace huitang::conference
