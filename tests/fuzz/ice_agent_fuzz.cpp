// Both agents are brought together first; then the input speaks: bytes as they are, checks with right
// credentials and chosen attributes, lost and repeated datagrams, time, restarts. Whatever comes, both stay
// consistent, and the lite one answers only to addresses from which a request with right integrity came.
#include <cstdlib>
#include <set>
#include <vector>

#include "ice/full_agent.h"
#include "ice/lite_agent.h"

namespace {

namespace core = huitang::core;
namespace ice = huitang::ice;
namespace stun = huitang::stun;

void require(bool condition) {
  if (!condition) std::abort();
}

const core::SocketAddress kNode{core::IpAddress::v4(192, 0, 2, 1), 5000};

class Session {
 public:
  Session() : lite_(now_), full_(now_, random_) {
    begin_generation();
    for (int i = 0; i < 4; ++i) exchange(false);
    require(full_.state() == ice::FullState::Connected && lite_.state() == ice::LiteState::Connected);
  }

  void run(core::Bytes script) {
    core::ByteReader in(script);
    while (!in.failed() && in.remaining() > 0) step(in);
  }

 private:
  void begin_generation() {
    lite_.add_generation(now_, {ice::make_credentials(random_), full_.local().ufrag});
    full_.start(now_, {lite_.local(), {{kNode, 1}}});
  }

  core::SocketAddress address(uint8_t number) const {
    return {core::IpAddress::v4(10, 0, 0, number % 8), 4000};
  }

  void step(core::ByteReader& in) {
    switch (in.u8() % 8) {
      case 0: return raw(in);
      case 1: return check(in);
      case 2: return advance(core::Duration::millis(in.u16()));
      case 3: return exchange(false);
      case 4: return exchange(true);
      case 5: full_.restart(now_); return begin_generation();
      case 6: lite_.add_generation(now_, {ice::make_credentials(random_), "abcd"}); return;
      default: return answer_from_stranger(in);
    }
  }

  void raw(core::ByteReader& in) {
    const auto from = address(in.u8());
    const core::Bytes bytes = in.take(std::min<size_t>(in.u8(), in.remaining()));
    lite_.handle_datagram(now_, from, bytes);
    full_.handle_datagram(now_, kNode, bytes);
    drain_lite();
  }

  void check(core::ByteReader& in) {
    const auto from = address(in.u8());
    const uint8_t flags = in.u8();
    core::Buffer out(512);
    if ((flags & 32) == 0) ++checks_;  // else the transaction of the one before, perhaps from elsewhere
    stun::MessageWriter writer(out, {stun::MessageClass::Request,
                                     {static_cast<uint8_t>(checks_), static_cast<uint8_t>(checks_ >> 8)}});
    writer.username(lite_.local().ufrag, (flags & 1) != 0 ? "abcd" : full_.local().ufrag);
    if ((flags & 2) == 0) writer.priority(1);
    if ((flags & 4) != 0) writer.ice_controlled(1);
    if ((flags & 8) != 0) writer.use_candidate();
    if ((flags & 16) != 0)
      writer.attribute(in.u16(), in.take(std::min<size_t>(in.u8() % 32, in.remaining())));
    const core::Bytes bytes = writer.finish(core::as_bytes(lite_.local().password));
    allowed_.insert(from);
    lite_.handle_datagram(now_, from, bytes);
    drain_lite();
  }

  void answer_from_stranger(core::ByteReader& in) {
    const uint8_t first = in.u8();
    core::Buffer out(256);
    stun::MessageWriter writer(
        out,
        {first % 2 == 0 ? stun::MessageClass::SuccessResponse : stun::MessageClass::ErrorResponse, {first}});
    full_.handle_datagram(now_, kNode, writer.finish(core::as_bytes(lite_.local().password)));
  }

  void advance(core::Duration span) {
    now_ += span;
    if (const auto d = lite_.deadline(); d && *d <= now_) lite_.handle_deadline(now_);
    if (const auto d = full_.deadline(); d && *d <= now_) full_.handle_deadline(now_);
    drain_lite();
  }

  // One round trip for everything the full agent wants sent, or its loss.
  void exchange(bool lose) {
    std::vector<core::Buffer> requests;
    while (auto t = full_.poll_transmit()) requests.push_back(std::move(t->bytes));
    if (lose) return;
    allowed_.insert(address(1));
    for (const core::Buffer& r : requests) {
      lite_.handle_datagram(now_, address(1), r);
      while (auto t = lite_.poll_transmit()) full_.handle_datagram(now_, kNode, t->bytes);
    }
    drain_lite();
  }

  void drain_lite() {
    while (auto t = lite_.poll_transmit()) require(allowed_.contains(t->to));
    while (lite_.poll_event()) {
    }
    while (full_.poll_event()) {
    }
    require(lite_.is_consistent() && full_.is_consistent());
    for (const auto& a : lite_.snapshot().addresses) require(allowed_.contains(a.address));
  }

  core::SeededRandom random_{7};
  core::Instant now_ = core::Instant::from_nanos(1'000'000'000);
  ice::LiteAgent lite_;
  ice::FullAgent full_;
  std::set<core::SocketAddress> allowed_;
  uint16_t checks_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  Session().run({data, size});
  return 0;
}
