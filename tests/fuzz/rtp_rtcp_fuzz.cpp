// RTCP compounds: every list of every view is walked; feedback that parses is written again and must say the
// same.
#include <vector>

#include "core/check.h"
#include "rtp/rtcp.h"

using namespace huitang;

namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

void rewrite(const rtp::TransportFeedbackView& v) {
  std::vector<rtp::PacketArrival> arrivals;
  auto walker = v.walk();
  int64_t n = v.base_sequence;
  for (; const auto s = walker.next(); ++n) {
    if (s->arrival) arrivals.push_back({n, core::Instant::from_nanos(s->arrival->to_nanos())});
  }
  HUITANG_CHECK(n - v.base_sequence == v.status_count);
  if (arrivals.empty() || arrivals.front().at < core::Instant()) return;
  core::Buffer out(2048);
  const auto w = rtp::write_transport_feedback(out, {1, 2, 0, v.base_sequence}, arrivals);
  if (w.bytes == 0) return;
  rtp::CompoundReader r(core::Bytes(out).first(w.bytes));
  const auto again = r.next();
  HUITANG_CHECK(again && std::holds_alternative<rtp::TransportFeedbackView>(*again));
  auto second = std::get<rtp::TransportFeedbackView>(*again).walk();
  size_t i = 0;
  while (const auto s = second.next()) {
    if (!s->arrival) continue;
    HUITANG_CHECK(s->sequence == static_cast<uint16_t>(arrivals[i].number));
    ++i;
  }
  HUITANG_CHECK(i == w.arrivals);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  rtp::CompoundReader r({data, size});
  uint64_t sum = 0;
  while (const auto p = r.next()) {
    std::visit(
        Overloaded{
            [&](const rtp::SenderReportView& v) {
              for (size_t i = 0; i < v.blocks.size(); ++i) sum += v.blocks[i].jitter;
            },
            [&](const rtp::ReceiverReportView& v) {
              for (size_t i = 0; i < v.blocks.size(); ++i) sum += v.blocks[i].jitter;
            },
            [&](const rtp::SdesView& v) { sum += v.cname.size() + (v.cname.empty() ? 0 : v.cname.back()); },
            [&](const rtp::ByeView& v) {
              for (size_t i = 0; i < v.size(); ++i) sum += v[i];
            },
            [&](const rtp::NackView& v) { v.for_each([&](uint16_t n) { sum += n; }); },
            [&](const rtp::PliView& v) { sum += v.media_ssrc; },
            [&](const rtp::FirView& v) {
              for (size_t i = 0; i < v.size(); ++i) sum += v.ssrc(i) + v.command(i);
            },
            [&](const rtp::RembView& v) {
              HUITANG_CHECK(v.bitrate.to_bps() >= 0);
              for (size_t i = 0; i < v.size(); ++i) sum += v.ssrc(i);
            },
            [&](const rtp::TransportFeedbackView& v) { rewrite(v); },
            [&](const rtp::XrView& v) {
              for (size_t i = 0; i < v.dlrr_count(); ++i) sum += v.dlrr_at(i).ssrc;
            },
            [&](const rtp::UnknownRtcpView& v) { sum += v.type; },
        },
        *p);
  }
  return static_cast<int>(sum & 0);
}
