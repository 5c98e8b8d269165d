// What left and has not been told about: a flat ring by transport-wide number.
//
// Each packet is judged once, in order: received, lost (told missing, and others sent long enough after it have
// arrived that reordering does not explain it), or unknown (the feedback about it was lost).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bwe/estimate.h"
#include "core/time.h"
#include "core/unwrap.h"

namespace huitang::bwe {

enum class Fate : uint8_t { None, InFlight, Missing, Received, Lost };

struct SentRecord {
  core::Instant at;
  uint16_t number = 0;
  uint16_t bytes = 0;
  uint16_t probe_cluster = 0;
  PacketKind kind = PacketKind::Media;
  Fate fate = Fate::None;
};

class SentHistory {
 public:
  static constexpr size_t kLeast = 256;
  static constexpr size_t kMost = 8192;  ///< in flight over 2 s: about 40 Mbit/s
  static constexpr core::Duration kMaxAge = core::Duration::seconds(10);

  SentHistory() : records_(kLeast) {}

  void add(core::Instant now, const SentPacket& p) {
    const int64_t n = unwrapper_.unwrap(p.number);
    if (n != end_) restart_at(n);
    SentRecord* r = &slot(p.number);
    if (is_open(*r)) r = make_room(now, *r, p.number);
    *r = {now, p.number, p.bytes, p.probe_cluster, p.kind, Fate::InFlight};
    in_flight_ += p.bytes;
    end_ = n + 1;
    if (end_ - judged_ > static_cast<int64_t>(records_.size())) judged_ = end_ - records_.size();
  }

  /// The record of a number that may still be told about, or null.
  SentRecord* find(core::Instant now, uint16_t number) {
    SentRecord& r = slot(number);
    return r.fate != Fate::None && r.number == number && now - r.at < kMaxAge ? &r : nullptr;
  }
  /// The number meant, taken as the nearest to the last that was sent.
  int64_t unwrap(uint16_t number) const { return unwrapper_.peek(number); }
  void set_received(SentRecord& r) {
    if (is_open(r)) in_flight_ -= r.bytes;
    r.fate = Fate::Received;
  }
  void set_missing(SentRecord& r) {
    if (r.fate == Fate::InFlight) r.fate = Fate::Missing;
  }

  /// Calls `verdict(record)` for each packet in order up to the first that is too young: sent after `horizon`
  /// and not received. The fate tells the verdict: Received, Missing = lost, InFlight = never told of.
  template <class Verdict>
  void judge(core::Instant horizon, uint16_t up_to, Verdict verdict) {
    const int64_t stop = std::min(unwrap(up_to) + 1, end_);
    for (; judged_ < stop; ++judged_) {
      SentRecord& r = slot(static_cast<uint16_t>(judged_));
      if (r.fate == Fate::None || r.number != static_cast<uint16_t>(judged_)) continue;
      if (is_open(r) && r.at > horizon) return;
      verdict(r);
      if (is_open(r)) in_flight_ -= r.bytes;
      r.fate = r.fate == Fate::Missing ? Fate::Lost : Fate::None;
    }
  }

  void clear();
  int64_t in_flight() const { return in_flight_; }
  bool is_consistent() const;

 private:
  static bool is_open(const SentRecord& r) { return r.fate == Fate::InFlight || r.fate == Fate::Missing; }
  SentRecord& slot(uint16_t number) { return records_[number & (records_.size() - 1)]; }
  SentRecord* make_room(core::Instant now, SentRecord& taken, uint16_t number);
  void restart_at(int64_t number);

  std::vector<SentRecord> records_;  ///< a power of two
  core::Unwrapper<uint16_t> unwrapper_;
  int64_t end_ = 0;
  int64_t judged_ = 0;  ///< all before are
  int64_t in_flight_ = 0;
};

}  // namespace huitang::bwe
