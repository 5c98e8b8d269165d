#include "sfu/reporter.h"

namespace huitang::sfu {

void Reporter::handle_sender_report(core::Instant now, Source& source, uint8_t layer,
                                    const rtp::SenderInfo& info) {
  if (info.ntp.is_zero()) return;
  source.layers[layer].clock.handle_sender_report(info.ntp, info.rtp_timestamp);
  source.owner_clock->handle_sender_report(info.ntp, t_.clock.at(now));
}

void Reporter::poll(core::Instant now, std::vector<SlotReport>& out) {
  for (const auto& source : t_.sources) {
    if (source == nullptr || !source->owner_clock->is_known()) continue;
    for (uint8_t l = 0; l < source->layer_count; ++l) report_layer(now, *source, source->layers[l], out);
  }
}

void Reporter::report_layer(core::Instant now, const Source& source, SourceLayer& layer,
                            std::vector<SlotReport>& out) {
  if (layer.forwarding.empty() || !layer.clock.is_known()) return;
  const auto now_ms = static_cast<uint32_t>(now.to_nanos() / 1'000'000);
  const rtp::NtpTime ntp = t_.clock.at(now);
  const uint32_t timestamp = layer.clock.timestamp_of(source.owner_clock->to_owner(ntp));
  for (Subscription& s : layer.forwarding) {
    if (static_cast<int32_t>(now_ms - s.report_at) < 0) continue;
    const core::Duration interval = s.quick_reports > 0 ? kQuickInterval : kInterval;
    s.quick_reports = static_cast<uint8_t>(s.quick_reports - (s.quick_reports > 0));
    s.report_at = now_ms + static_cast<uint32_t>(interval.to_millis());
    const Slot& slot = t_.slots[s.slot_id];
    const uint64_t packets = slot.packets + layer.packets - slot.packets_base;
    const uint64_t octets = slot.octets + layer.bytes - slot.octets_base;
    out.push_back({s.receiver,
                   s.slot,
                   {s.ssrc, ntp, timestamp + s.shifts.timestamp, static_cast<uint32_t>(packets),
                    static_cast<uint32_t>(octets)}});
  }
}

}  // namespace huitang::sfu
