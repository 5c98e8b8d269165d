#include "bwe/twcc_recorder.h"

#include <algorithm>

#include "core/check.h"
#include "rtp/transport_feedback.h"

namespace huitang::bwe {

namespace {
// A typical feedback with its UDP/IP and SRTCP overhead, and the share of the received rate it may take.
constexpr int64_t kTypicalFeedbackBits = 68 * 8;
constexpr double kFeedbackShare = 0.05;
}  // namespace

void TwccRecorder::handle_packet(core::Instant now, uint16_t number, uint32_t media_ssrc,
                                 core::ByteCount size) {
  ++counters_.packets;
  bytes_since_sent_ += static_cast<uint64_t>(size.value());
  media_ssrc_ = media_ssrc;
  const int64_t n = unwrapper_.unwrap(number);
  if (!started_) {
    started_ = true;
    last_sent_ = now;
    begin_ = end_ = base_ = n;
  }
  // Beyond the window there is no reordering, only a long silence (which may look like a step back) or a new
  // sender.
  if (n < end_ - static_cast<int64_t>(kWindow) || n >= end_ + static_cast<int64_t>(kWindow)) {
    ++counters_.jumps;
    begin_ = end_ = base_ = n;
  }
  if (n >= end_) {
    for (int64_t k = end_; k <= n; ++k) slot(k) = 0;
    end_ = n + 1;
    forget_before(end_ - static_cast<int64_t>(kWindow));
  } else if (n < begin_) {
    for (int64_t k = n; k < begin_; ++k) slot(k) = 0;
    begin_ = n;
  }
  if (slot(n) != 0) {
    ++counters_.duplicates;
    return;
  }
  slot(n) = std::max<int64_t>(now.to_nanos(), 1);
  base_ = std::min(base_, n);
  if (!has_news_) first_news_ = now;
  has_news_ = true;
  HUITANG_DCHECK(is_consistent());
}

void TwccRecorder::forget_before(int64_t number) {
  begin_ = std::max(begin_, number);
  base_ = std::max(base_, number);
}

core::Duration TwccRecorder::interval() const {
  const double bits = static_cast<double>(rate_.to_bps()) * kFeedbackShare;
  const auto wanted =
      bits > 0 ? core::Duration::seconds_f(kTypicalFeedbackBits / bits) : config_.max_interval;
  return std::clamp(wanted, config_.min_interval, config_.max_interval);
}

std::optional<core::Instant> TwccRecorder::deadline() const {
  if (!has_news_) return std::nullopt;
  if (flushing_ || end_ - base_ >= static_cast<int64_t>(kEarlyFeedback)) return first_news_;
  return std::max(first_news_, last_sent_ + interval());
}

size_t TwccRecorder::poll_feedback(core::Instant now, core::MutableBytes out) {
  const auto due = deadline();
  if (!due || *due > now) return 0;
  std::array<rtp::PacketArrival, kWindow> arrivals;
  size_t count = 0;
  for (int64_t n = base_; n < end_; ++n) {
    if (slot(n) != 0) arrivals[count++] = {n, core::Instant::from_nanos(slot(n))};
  }
  const rtp::TransportFeedbackHeader header{.sender_ssrc = config_.sender_ssrc,
                                            .media_ssrc = media_ssrc_,
                                            .feedback_count = feedback_count_,
                                            .base = base_};
  const auto written = rtp::write_transport_feedback(out.first(std::min(out.size(), kMaxFeedbackSize)),
                                                     header, std::span(arrivals).first(count));
  if (written.bytes == 0) {
    has_news_ = flushing_ = false;
    base_ = end_;
    return 0;
  }
  if (!flushing_) {
    rate_ = core::rate_of(core::ByteCount(static_cast<int64_t>(bytes_since_sent_)), now - last_sent_);
    bytes_since_sent_ = 0;
    last_sent_ = now;
  }
  ++feedback_count_;
  ++counters_.feedbacks;
  base_ = written.next_base;
  flushing_ = has_news_ = written.arrivals < count;
  // What was told and has grown older than the window cannot be told again.
  const int64_t horizon = (now - config_.reordering_window).to_nanos();
  while (begin_ < base_ && slot(begin_) < horizon) ++begin_;
  HUITANG_DCHECK(is_consistent());
  return written.bytes;
}

TwccRecorderState TwccRecorder::export_state() const {
  TwccRecorderState s;
  s.started = started_;
  s.last_number = unwrapper_.last();
  s.begin = begin_;
  s.end = end_;
  s.base = base_;
  for (int64_t n = begin_; n < end_; ++n) s.arrivals.push_back(arrivals_[static_cast<uint64_t>(n) % kWindow]);
  s.has_news = has_news_;
  s.flushing = flushing_;
  s.first_news = first_news_;
  s.last_sent = last_sent_;
  s.bytes_since_sent = bytes_since_sent_;
  s.rate = rate_;
  s.media_ssrc = media_ssrc_;
  s.feedback_count = feedback_count_;
  s.packets = counters_.packets;
  s.duplicates = counters_.duplicates;
  s.jumps = counters_.jumps;
  s.feedbacks = counters_.feedbacks;
  return s;
}

bool TwccRecorder::restore(const TwccRecorderState& s) {
  constexpr int64_t kBound = int64_t{1} << 60;  // far from any overflow of what is added below
  if (s.begin < 0 || s.begin > s.base || s.base > s.end || s.end > kBound) return false;
  if (static_cast<uint64_t>(s.end - s.begin) != s.arrivals.size() || s.arrivals.size() > kWindow)
    return false;
  if (s.last_number < -kBound || s.last_number > kBound) return false;
  if (!s.started) return s.end == 0 && !s.has_news;
  started_ = true;
  unwrapper_.resume(s.last_number);
  begin_ = s.begin;
  end_ = s.end;
  base_ = s.base;
  for (size_t i = 0; i < s.arrivals.size(); ++i) slot(begin_ + static_cast<int64_t>(i)) = s.arrivals[i];
  has_news_ = s.has_news;
  flushing_ = s.flushing;
  first_news_ = s.first_news;
  last_sent_ = s.last_sent;
  bytes_since_sent_ = s.bytes_since_sent;
  rate_ = s.rate;
  media_ssrc_ = s.media_ssrc;
  feedback_count_ = s.feedback_count;
  counters_ = {s.packets, s.duplicates, s.jumps, s.feedbacks};
  return is_consistent();
}

bool TwccRecorder::is_consistent() const {
  return begin_ <= base_ && base_ <= end_ && end_ - begin_ <= static_cast<int64_t>(kWindow);
}

}  // namespace huitang::bwe
