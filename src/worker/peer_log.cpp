#include "worker/peer_log.h"

#include "peer/types.h"
#include "sfu/types.h"
#include "worker/load_governor.h"

namespace huitang::worker {
namespace {

bool is_same(const LogEntry& x, const LogEntry& y) {
  return x.kind == y.kind && x.number == y.number && x.index == y.index && x.a == y.a && x.b == y.b &&
         x.address == y.address;
}

std::string percent(uint32_t parts_of_256) { return std::to_string((parts_of_256 * 100 + 128) / 256) + " %"; }

const char* use_name(uint8_t slot_use) {
  switch (static_cast<sfu::SlotUse>(slot_use)) {
    case sfu::SlotUse::Audio: return "audio";
    case sfu::SlotUse::Video: return "video";
    case sfu::SlotUse::Share: return "share";
  }
  return "?";
}

}  // namespace

void PeerLog::add(core::Instant now, LogEntry entry) {
  entry.at = now;
  entry.count = 1;
  if (size_ != 0) {
    LogEntry& last = ring_[(first_ + size_ - 1) % kMaxEntries];
    if (is_same(last, entry)) {
      last.at = now;
      ++last.count;
      return;
    }
  }
  if (size_ == kMaxEntries) {
    first_ = (first_ + 1) % kMaxEntries;
    --size_;
    ++dropped_;
  }
  ring_[(first_ + size_++) % kMaxEntries] = entry;
}

void PeerLog::add_loss(core::Instant now, LogKind direction, uint8_t fraction) {
  core::Instant& next = direction == LogKind::LossIn ? next_loss_in_ : next_loss_out_;
  if (fraction < kNotedLoss || now < next) return;
  next = now + kLossInterval;
  add(now, {.number = fraction, .kind = direction});
}

PeerLogCopy copy_of(uint64_t peer, const PeerLog& log) {
  PeerLogCopy copy{peer, log.dropped(), {}};
  copy.entries.reserve(log.size());
  for (size_t i = 0; i < log.size(); ++i) copy.entries.push_back(log[i]);
  return copy;
}

const char* name_of(LogKind kind) {
  switch (kind) {
    case LogKind::Opened: return "offer";
    case LogKind::State: return "state";
    case LogKind::AddressAdded: return "address_added";
    case LogKind::AddressGone: return "address_gone";
    case LogKind::Destination: return "destination";
    case LogKind::SourceBound: return "source_bound";
    case LogKind::SourceUnbound: return "source_unbound";
    case LogKind::SlotShows: return "slot_shows";
    case LogKind::KeyFrameRequest: return "key_frame_request";
    case LogKind::KeyFrameAsk: return "key_frame_ask";
    case LogKind::LossIn: return "loss_in";
    case LogKind::LossOut: return "loss_out";
    case LogKind::Load: return "load";
  }
  return "?";
}

std::string describe(const LogEntry& e) {
  const std::string number = std::to_string(e.number);
  switch (e.kind) {
    case LogKind::Opened: return "offer " + number + " answered";
    case LogKind::State: {
      const std::string state = peer::to_string(static_cast<peer::PeerState>(e.a));
      const auto reason = static_cast<peer::StateReason>(e.b);
      return reason == peer::StateReason::None ? state : state + ": " + peer::to_string(reason);
    }
    case LogKind::AddressAdded:
    case LogKind::AddressGone:
    case LogKind::Destination: return core::to_string(e.address);
    case LogKind::SourceBound:
      return "source " + number + " on line use " + std::to_string(e.a) + (e.b != 0 ? "" : ", muted here");
    case LogKind::SourceUnbound: return "source " + number;
    case LogKind::SlotShows:
      return std::string(use_name(e.a)) + " slot " + std::to_string(e.index) + " shows source " + number +
             " layer " + std::to_string(e.b);
    case LogKind::KeyFrameRequest: return "of source " + number + " layer " + std::to_string(e.b);
    case LogKind::KeyFrameAsk: return "for ssrc " + number;
    case LogKind::LossIn:
    case LogKind::LossOut: return percent(e.number);
    case LogKind::Load:
      return std::string(to_string(static_cast<LoadLevel>(e.a))) + " at " + number + " % of a core";
  }
  return {};
}

}  // namespace huitang::worker
