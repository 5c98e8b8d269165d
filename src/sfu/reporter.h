// Sender reports of the outgoing streams (RFC 3550 section 6.4.1): the source's clock, moved to the node's,
// and the RTP time in the stream's own timeline. Sound and picture of one owner share one mapping, so
// browsers keep them in step.
#pragma once

#include "sfu/tables.h"

namespace huitang::sfu {

class Reporter {
 public:
  static constexpr core::Duration kInterval = core::Duration::millis(1000);
  static constexpr core::Duration kQuickInterval = core::Duration::millis(50);

  explicit Reporter(Tables& t) : t_(t) {}
  void handle_sender_report(core::Instant now, Source& source, uint8_t layer, const rtp::SenderInfo& info);
  /// Reports that are due. A stream whose source has told no clock yet has none.
  void poll(core::Instant now, std::vector<SlotReport>& out);

 private:
  void report_layer(core::Instant now, const Source& source, SourceLayer& layer,
                    std::vector<SlotReport>& out);

  Tables& t_;
};

}  // namespace huitang::sfu
