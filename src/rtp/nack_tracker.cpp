#include "rtp/nack_tracker.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace huitang::rtp {

void NackTracker::handle_packet(core::Instant now, uint16_t sequence_number) {
  const int64_t n = unwrapper_.unwrap(sequence_number);
  if (highest_ < 0) {
    highest_ = n;
    return;
  }
  if (n > highest_) {
    add_gap(now, highest_ + 1, n);
    highest_ = n;
  } else {
    auto* const end = missing_.begin() + count_;
    auto* const at =
        std::lower_bound(missing_.begin(), end, n, [](const Missing& m, int64_t v) { return m.number < v; });
    if (at != end && at->number == n) {
      if (at->tries > 0) ++recovered_;
      std::move(at + 1, end, at);
      --count_;
    }
  }
  HUITANG_DCHECK(is_consistent());
}

void NackTracker::add_gap(core::Instant now, int64_t from, int64_t to) {
  const int64_t gap = to - from;
  if (gap <= 0) return;
  if (gap > config_.max_gap || gap > static_cast<int64_t>(kMaxMissing)) {
    drop_oldest(count_);
    given_up_count_ += static_cast<uint64_t>(gap);
    given_up_ = true;
    ++resets_;
    return;
  }
  const size_t over =
      count_ + static_cast<size_t>(gap) > kMaxMissing ? count_ + static_cast<size_t>(gap) - kMaxMissing : 0;
  drop_oldest(over);
  for (int64_t n = from; n < to; ++n) {
    missing_[count_++] = {.number = n, .noticed = now, .next = now + config_.reordering, .tries = 0};
  }
}

void NackTracker::drop_oldest(size_t n) {
  if (n == 0) return;
  std::move(missing_.begin() + n, missing_.begin() + count_, missing_.begin());
  count_ -= n;
  given_up_count_ += n;
  given_up_ = true;
}

void NackTracker::handle_key_frame(uint16_t sequence_number) {
  const int64_t n = unwrapper_.peek(sequence_number);
  auto* const end = missing_.begin() + count_;
  auto* const at =
      std::lower_bound(missing_.begin(), end, n, [](const Missing& m, int64_t v) { return m.number < v; });
  std::move(at, end, missing_.begin());
  count_ -= static_cast<size_t>(at - missing_.begin());
}

bool NackTracker::may_ask(const Missing& m) const {
  return highest_ - m.number >= config_.reordering_packets;
}

// A quarter more than a round trip leaves the answer room for jitter.
core::Duration NackTracker::retry_interval() const { return std::max(rtt_ * 5 / 4, config_.min_retry); }

size_t NackTracker::poll_nack(core::Instant now, std::span<uint16_t> out) {
  size_t asked = 0;
  size_t kept = 0;
  for (size_t i = 0; i < count_; ++i) {
    Missing m = missing_[i];
    const bool is_due = m.next <= now && may_ask(m);
    if (now - m.noticed >= config_.max_age || (is_due && m.tries >= config_.max_retries)) {
      ++given_up_count_;
      given_up_ = true;
      continue;
    }
    if (is_due && asked < out.size()) {
      out[asked++] = static_cast<uint16_t>(m.number);
      ++m.tries;
      ++requested_;
      m.next = now + retry_interval();
    }
    missing_[kept++] = m;
  }
  count_ = kept;
  HUITANG_DCHECK(is_consistent());
  return asked;
}

std::optional<core::Instant> NackTracker::deadline() const {
  std::optional<core::Instant> first;
  for (size_t i = 0; i < count_; ++i) {
    const Missing& m = missing_[i];
    const core::Instant end = m.noticed + config_.max_age;
    const core::Instant at = may_ask(m) ? std::min(m.next, end) : end;
    if (!first || at < *first) first = at;
  }
  return first;
}

bool NackTracker::take_given_up() { return std::exchange(given_up_, false); }

NackTracker::Snapshot NackTracker::snapshot() const {
  return {.missing = count_,
          .requested = requested_,
          .recovered = recovered_,
          .given_up = given_up_count_,
          .resets = resets_};
}

bool NackTracker::is_consistent() const {
  if (count_ > kMaxMissing) return false;
  for (size_t i = 0; i < count_; ++i) {
    if (missing_[i].number >= highest_) return false;
    if (i > 0 && missing_[i - 1].number >= missing_[i].number) return false;
  }
  return true;
}

NackTracker::State NackTracker::export_state() const {
  return {.round_trip = rtt_,
          .has_started = unwrapper_.has_started(),
          .last = unwrapper_.last(),
          .highest = highest_,
          .missing = {missing_.begin(), missing_.begin() + count_},
          .has_given_up = given_up_,
          .requested = requested_,
          .recovered = recovered_,
          .given_up = given_up_count_,
          .resets = resets_};
}

bool NackTracker::restore(const State& s) {
  // Far below where sums of numbers could overflow, far above what a stream reaches.
  constexpr int64_t kEnd = int64_t{1} << 56;
  if (s.missing.size() > kMaxMissing || s.highest < -1 || s.highest >= kEnd || s.last < 0 || s.last >= kEnd)
    return false;
  if (s.has_started != (s.highest >= 0) || (!s.has_started && !s.missing.empty())) return false;
  NackTracker next(config_);
  next.rtt_ = s.round_trip;
  if (s.has_started) next.unwrapper_.resume(s.last);
  next.highest_ = s.highest;
  std::copy(s.missing.begin(), s.missing.end(), next.missing_.begin());
  next.count_ = s.missing.size();
  next.given_up_ = s.has_given_up;
  next.requested_ = s.requested;
  next.recovered_ = s.recovered;
  next.given_up_count_ = s.given_up;
  next.resets_ = s.resets;
  if (!next.is_consistent() || (next.count_ != 0 && next.missing_[0].number < 0)) return false;
  *this = next;
  return true;
}

}  // namespace huitang::rtp
