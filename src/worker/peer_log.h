// What happened to one peer, the last entries of it: a ring of plain values, written on the worker's thread
// without allocation, read by the administrator through the control server (GetPeerLog).
//
// Texts are made when it is read. What repeats is counted on its entry instead of pushing others out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/time.h"

namespace huitang::worker {

enum class LogKind : uint8_t {
  Opened,           ///< number: offers so far
  State,            ///< a: PeerState, b: StateReason
  AddressAdded,     ///< ICE validated `address`
  AddressGone,      ///< its consent ended
  Destination,      ///< media goes to `address` now
  SourceBound,      ///< number: source, a: LineUse, b: forwarded
  SourceUnbound,    ///< number: source
  SlotShows,        ///< number: source, a: slot use, b: layer, index: slot
  KeyFrameRequest,  ///< asked of this peer. number: source, b: layer
  KeyFrameAsk,      ///< by this peer. number: SSRC
  LossIn,           ///< on the way to us. number: parts of 256
  LossOut,          ///< on the way to the peer. number: parts of 256
  Load,             ///< a: LoadLevel, number: percent of a core
};

struct LogEntry {
  core::Instant at;  ///< of the last of them
  uint32_t count = 0;
  uint32_t number = 0;
  uint16_t index = 0;
  LogKind kind = LogKind::Opened;
  uint8_t a = 0;
  uint8_t b = 0;
  core::SocketAddress address;
};

class PeerLog {
 public:
  static constexpr size_t kMaxEntries = 48;
  /// Losses of at least this are noted (parts of 256: 5 %), once in kLossInterval and direction.
  static constexpr uint8_t kNotedLoss = 13;
  static constexpr core::Duration kLossInterval = core::Duration::seconds(1);

  void add(core::Instant now, LogEntry entry);
  /// A report's fraction lost; small ones and those that follow too soon are left out.
  void add_loss(core::Instant now, LogKind direction, uint8_t fraction);

  size_t size() const { return size_; }
  uint64_t dropped() const { return dropped_; }
  /// 0 is the oldest.
  const LogEntry& operator[](size_t i) const { return ring_[(first_ + i) % kMaxEntries]; }

 private:
  std::array<LogEntry, kMaxEntries> ring_{};
  size_t first_ = 0, size_ = 0;
  uint64_t dropped_ = 0;
  core::Instant next_loss_in_, next_loss_out_;
};

/// One peer's log as it leaves the worker's thread; peer 0 is the worker's own.
struct PeerLogCopy {
  uint64_t peer = 0;
  uint64_t dropped = 0;
  std::vector<LogEntry> entries;
};
PeerLogCopy copy_of(uint64_t peer, const PeerLog& log);

/// "state", "address_added" …
const char* name_of(LogKind kind);
/// In words, for people.
std::string describe(const LogEntry& entry);

}  // namespace huitang::worker
