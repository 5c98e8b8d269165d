#include "bwe/sent_history.h"

#include <algorithm>

namespace huitang::bwe {

namespace {
// Younger packets that would be overwritten are reason to remember more.
constexpr core::Duration kWorthKeeping = core::Duration::seconds(2);
}  // namespace

SentRecord* SentHistory::make_room(core::Instant now, SentRecord& taken, uint16_t number) {
  if (now - taken.at < kWorthKeeping && records_.size() < kMost) {
    std::vector<SentRecord> larger(records_.size() * 2);
    for (const SentRecord& r : records_) {
      if (r.fate != Fate::None) larger[r.number & (larger.size() - 1)] = r;
    }
    records_ = std::move(larger);
    SentRecord& fresh = slot(number);
    if (!is_open(fresh)) return &fresh;
    in_flight_ -= fresh.bytes;
    return &fresh;
  }
  in_flight_ -= taken.bytes;
  return &taken;
}

void SentHistory::restart_at(int64_t number) {
  // A few numbers left out cost nothing; anything else is another numbering.
  const bool is_gap = number > end_ && number - end_ < static_cast<int64_t>(records_.size());
  if (!is_gap) {
    clear();
    judged_ = number;
  }
  end_ = number;
}

void SentHistory::clear() {
  std::fill(records_.begin(), records_.end(), SentRecord{});
  in_flight_ = 0;
  judged_ = end_;
}

bool SentHistory::is_consistent() const {
  int64_t open = 0;
  for (const SentRecord& r : records_) open += is_open(r) ? r.bytes : 0;
  return open == in_flight_ && judged_ <= end_ && end_ - judged_ <= static_cast<int64_t>(records_.size());
}

}  // namespace huitang::bwe
