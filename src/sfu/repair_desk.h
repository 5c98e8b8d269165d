// What receivers complain about: packets lost on their way (NACK, served from the history as RTX) and
// pictures that cannot be decoded (PLI, FIR, passed on to the sender sparingly). RFC 4585, RFC 5104, RFC
// 4588.
#pragma once

#include <span>

#include "sfu/switchboard.h"

namespace huitang::sfu {

class RepairDesk {
 public:
  /// One receiver gets at most one key frame of his own wish in this time; switches are not counted.
  static constexpr core::Duration kAskInterval = core::Duration::seconds(2);

  RepairDesk(Tables& t, Switchboard& s) : t_(t), switchboard_(s) {}
  void handle_nack(core::Instant now, Receiver& receiver, uint32_t ssrc, std::span<const uint16_t> numbers,
                   Batch& out);
  void handle_key_frame_ask(core::Instant now, const Receiver& receiver, uint32_t ssrc);

 private:
  struct Found {
    const StoredPacket* packet = nullptr;
    const Run* run = nullptr;
  };
  Slot* find_slot(const Receiver& receiver, uint32_t ssrc);
  Found find_sent(core::Instant now, const Slot& slot, uint16_t number) const;

  Tables& t_;
  Switchboard& switchboard_;
};

}  // namespace huitang::sfu
