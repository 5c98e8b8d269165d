#include "worker/paced_queue.h"

#include <algorithm>

namespace huitang::worker {

void PacedQueue::Lane::push(const Waiting& w) {
  if (size_ == ring_.size()) {
    std::vector<Waiting> larger(std::max<size_t>(ring_.size() * 2, 32));
    for (size_t i = 0; i < size_; ++i) larger[i] = ring_[(first_ + i) % ring_.size()];
    ring_.swap(larger);
    first_ = 0;
  }
  ring_[(first_ + size_++) % ring_.size()] = w;
}

PacedQueue::Waiting PacedQueue::Lane::pop() {
  const Waiting w = ring_[first_];
  first_ = (first_ + 1) % ring_.size();
  --size_;
  return w;
}

PacedQueue::~PacedQueue() {
  while (!repairs_.empty()) take(repairs_);
  while (!pictures_.empty()) take(pictures_);
}

void PacedQueue::set_rate(core::Instant now, std::optional<core::Bitrate> rate) {
  if (rate == rate_) return;
  if (waiting_ == 0) add_credit(now, rate_);  // what passed until now passed at the old rate
  rate_ = rate;
  if (waiting_ == 0) add_credit(now, rate_);
}

void PacedQueue::add_credit(core::Instant now, std::optional<core::Bitrate> rate) {
  const core::Duration passed = std::max(now - credited_, core::Duration());
  credited_ = std::max(now, credited_);
  if (!rate) {
    credit_ = kUnlimited;
    return;
  }
  const auto earned = [&](core::Duration d) {
    return static_cast<int64_t>(static_cast<double>(rate->to_bps()) * d.to_seconds() / 8);
  };
  const int64_t depth = std::clamp(earned(kDepth), kLeastDepth, kMostDepth);
  // Debt is bounded, too: sound that went on while nothing was allowed must not silence pictures for long.
  credit_ = std::clamp(std::min(credit_, depth) + earned(std::min(passed, kMaxWait)), -2 * depth, depth);
}

core::Bitrate PacedQueue::urgent_rate(core::Instant now) const {
  core::Duration left = kMaxWait;
  for (const Lane* lane : {&repairs_, &pictures_})
    if (!lane->empty()) left = std::min(left, kMaxWait - (now - lane->front().since));
  return core::rate_of(core::ByteCount(waiting_bytes_), std::max(left, kBeat));
}

void PacedQueue::push(core::Instant now, const sfu::ForwardedPacket& packet, int64_t bytes) {
  credit_ += bytes;  // admits() took them as sent
  Lane& lane = packet.is_rtx ? repairs_ : pictures_;
  if (lane.is_full()) drop_all(lane);
  if (packet.body.has_buffer()) slab_.retain(packet.body.buffer);
  lane.push({packet, now, bytes});
  ++waiting_;
  waiting_bytes_ += bytes;
  ++counters_.held;
}

void PacedQueue::begin_burst(core::Instant now) {
  burst_at_ = now;
  if (!rate_) return add_credit(now, rate_);
  // The urgent rate holds for what waits, not for the credit that is left when all has gone.
  add_credit(now, std::max(*rate_, urgent_rate(now)));
}

std::optional<sfu::ForwardedPacket> PacedQueue::poll() {
  if (waiting_ == 0) return std::nullopt;
  if (credit_ <= 0) return std::nullopt;
  const Waiting w = take(repairs_.empty() ? pictures_ : repairs_);
  credit_ -= w.bytes;
  counters_.longest_wait = std::max(counters_.longest_wait, burst_at_ - w.since);
  return w.packet;
}

PacedQueue::Waiting PacedQueue::take(Lane& lane) {
  const Waiting w = lane.pop();
  if (w.packet.body.has_buffer()) slab_.release(w.packet.body.buffer);
  --waiting_;
  waiting_bytes_ -= w.bytes;
  return w;
}

void PacedQueue::drop_all(Lane& lane) {
  while (!lane.empty()) {
    const Waiting w = take(lane);
    ++counters_.dropped;
    if (w.packet.is_rtx || std::ranges::count(dropped_from_, w.packet.ssrc) != 0) continue;
    dropped_from_.push_back(w.packet.ssrc);
  }
}

std::optional<uint32_t> PacedQueue::poll_dropped() {
  if (dropped_from_.empty()) return std::nullopt;
  const uint32_t ssrc = dropped_from_.back();
  dropped_from_.pop_back();
  return ssrc;
}

PacedQueue::Snapshot PacedQueue::snapshot() const {
  Snapshot s = counters_;
  s.waiting = waiting_;
  s.waiting_bytes = waiting_bytes_;
  return s;
}

bool PacedQueue::is_consistent() const {
  return waiting_ == repairs_.size() + pictures_.size() && (waiting_ != 0 || waiting_bytes_ == 0) &&
         repairs_.size() <= kMaxWaiting && pictures_.size() <= kMaxWaiting;
}

}  // namespace huitang::worker
