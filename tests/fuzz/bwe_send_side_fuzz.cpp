// Feedback as a hostile receiver may write it, in bytes and in likely forms, about packets that an estimator
// has sent and about others; time that passes, stands and leaps; probes, demands, round trips, hand-overs.
// Whatever comes, the estimator stays consistent, asks for no more than it may, and its deadline lies ahead.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <vector>

#include "bwe/send_side_estimator.h"
#include "rtp/rtcp.h"

namespace {

namespace core = huitang::core;
namespace rtp = huitang::rtp;
namespace bwe = huitang::bwe;

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr bwe::SendSideEstimator::Config kConfig{};

class Session {
 public:
  Session() : estimator_(std::in_place, now_, kConfig) {
    for (int i = 0; i < 20; ++i) {  // a path that has been learnt
      send(10);
      now_ += core::Duration::millis(50);
      tell(static_cast<uint16_t>(next_ - 10), 10, 5, 0);
    }
  }

  void run(core::Bytes script) {
    core::ByteReader in(script);
    while (!in.failed() && in.remaining() > 0) {
      step(in);
      drain();
    }
  }

 private:
  void step(core::ByteReader& in) {
    switch (in.u8() % 10) {
      case 0: return raw(in);
      case 1: return send(in.u8());
      case 2: now_ += core::Duration::millis(in.u8()); return;
      case 3: now_ += core::Duration::millis(in.u16() * int64_t{50}); return;
      case 4: {
        const auto base = static_cast<uint16_t>(next_ - in.u8());
        const size_t count = in.u8();
        const uint16_t gap = in.u8();
        return tell(base, count, gap, in.u8());
      }
      case 5: estimator_->handle_round_trip(now_, core::Duration::micros(in.u24() - (1 << 20))); return;
      case 6: {
        const auto current = core::Bitrate::kbps(in.u16());
        const auto next = core::Bitrate::kbps(in.u16());
        estimator_->set_demand(now_, {.current = current, .next_useful = next, .max_useful = next * 2});
        return;
      }
      case 7: next_ = in.u16(); return;
      case 8: estimator_->handle_network_change(now_); return;
      default: return hand_over(in);
    }
  }

  void raw(core::ByteReader& in) {
    const core::Bytes bytes = in.take(std::min<size_t>(in.u8(), in.remaining()));
    const auto view = rtp::parse_transport_feedback(1, 2, bytes);
    if (view.has_value()) estimator_->handle_feedback(now_, *view);
  }

  void send(size_t count) {
    std::vector<bwe::SentPacket> packets;
    for (size_t i = 0; i < count; ++i) {
      const auto kind = static_cast<bwe::PacketKind>(next_ % 4);
      packets.push_back({next_++, static_cast<uint16_t>(100 + next_ % 1100), cluster_, kind});
    }
    estimator_->handle_sent(now_, packets);
  }

  // `gap` milliseconds between arrivals; each `lost`th is missing.
  void tell(uint16_t base, size_t count, uint16_t gap, uint8_t lost) {
    std::vector<rtp::PacketArrival> arrivals;
    for (size_t i = 0; i < count; ++i) {
      clock_ += core::Duration::millis(gap);
      if (lost == 0 || i % lost != 0) arrivals.push_back({base + static_cast<int64_t>(i), clock_});
    }
    core::Buffer out(1200);
    const auto written = rtp::write_transport_feedback(out, {1, 2, feedbacks_++, base}, arrivals);
    if (written.bytes == 0) return;
    rtp::CompoundReader reader(core::Bytes(out).first(written.bytes));
    const auto packet = reader.next();
    require(packet && std::holds_alternative<rtp::TransportFeedbackView>(*packet));
    estimator_->handle_feedback(now_, std::get<rtp::TransportFeedbackView>(*packet));
  }

  void hand_over(core::ByteReader& in) {
    bwe::SendSideState state = estimator_->export_state();
    const bool is_spoiled = in.u8() % 2 == 1;
    if (is_spoiled) {
      state.delay_bound = core::Bitrate::bps(static_cast<int32_t>(in.u32()));
      state.round_trip = core::Duration::nanos(static_cast<int64_t>(in.u64()));
      state.inherent_loss = in.u8() / 100.0;
    }
    bwe::SendSideEstimator successor(now_, kConfig);
    const bool is_taken = successor.restore(now_, state);
    require(is_taken || is_spoiled);
    if (is_taken) estimator_.emplace(successor);
  }

  void drain() {
    if (const auto due = estimator_->deadline(); due && *due <= now_) estimator_->handle_timeout(now_);
    const auto due = estimator_->deadline();
    require(!due || *due > now_);
    while (const auto e = estimator_->poll_event()) {
      require(e->target >= kConfig.min && e->target <= kConfig.max);
    }
    while (const auto p = estimator_->poll_probe()) {
      require(p->cluster != 0 && p->rate > core::Bitrate() && p->rate <= kConfig.max);
      require(p->min_bytes.value() >= 0 && p->duration > core::Duration());
      cluster_ = p->cluster;
    }
    require(estimator_->is_consistent());
    require(estimator_->snapshot().in_flight.value() >= 0);
  }

  core::Instant now_ = core::Instant::from_nanos(1'000'000'000);
  core::Instant clock_ = core::Instant::from_nanos(5'000'000'000);
  std::optional<bwe::SendSideEstimator> estimator_;
  uint16_t next_ = 65'000;
  uint16_t cluster_ = 0;
  uint8_t feedbacks_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  Session().run({data, size});
  return 0;
}
