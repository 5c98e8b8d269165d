// Drives a Forwarder with commands, media of any bytes, feedback and time as the input says, from a state in
// which a meeting runs. Held: consistency, no number leaves twice on an ssrc, nothing leaves of a closed
// source, and every copy lies within its buffer. At times another forwarder takes over, of what the input
// spoiled as well: then that one refuses and the meeting goes on, or takes it and stays consistent.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/random.h"
#include "sfu/forwarder.h"
#include "sfu/state.h"

namespace {

using namespace huitang;
using namespace huitang::sfu;

constexpr uint32_t kPeers = 4;
constexpr uint32_t kSources = 8;

class Session {
 public:
  explicit Session(core::Bytes input)
      : in_(input), slab_({.buffers = 48, .buffer_size = 256}), random_(3), forwarder_(make_forwarder()) {
    for (uint32_t p = 0; p < 2; ++p) add_receiver(p, 2);
    for (uint32_t s = 1; s <= 4; ++s) bind(s, true);
    forwarder_->set_group(now_, {GroupId(1), {PeerId(0), PeerId(1), PeerId(2)}, 2, {SourceNumber(1)}});
    const std::array<SlotView, 2> view{SlotView{SlotUse::Video, 0, SourceNumber(2), 640, 360, 0},
                                       SlotView{SlotUse::Video, 1, GroupId(1), 100, 100, 0}};
    forwarder_->set_view(now_, PeerId(0), view);
  }
  void run() {
    while (!in_.failed() && in_.remaining() > 0) {
      step();
      collect();
      if (!forwarder_->is_consistent()) std::abort();
    }
  }

 private:
  void step() {
    const uint8_t what = in_.u8();
    if (what >= 0xf8) return hand_over(what == 0xff);
    switch (what % 16) {
      case 0: add_receiver(in_.u8() % kPeers, in_.u8() % 4); break;
      case 1: forwarder_->remove_receiver(now_, ReceiverIndex(in_.u8() % kPeers)); break;
      case 2: forwarder_->set_receiver_ready(now_, ReceiverIndex(in_.u8() % kPeers), in_.u8() & 1); break;
      case 3: bind(in_.u8() % kSources, in_.u8() & 1); break;
      case 4: forwarder_->unbind_source(now_, SourceNumber(in_.u8() % kSources)); break;
      case 5: set_group(); break;
      case 6: forwarder_->close_group(now_, GroupId(in_.u8() % 4)); break;
      case 7: set_view(); break;
      case 8: nack(); break;
      case 9: forwarder_->handle_key_frame_ask(now_, ReceiverIndex(in_.u8() % kPeers), ssrc()); break;
      case 10: report(); break;
      case 11:
        now_ += core::Duration::millis(in_.u8() * 4);
        if (forwarder_->deadline() && *forwarder_->deadline() <= now_)
          forwarder_->handle_timeout(now_, batch_);
        break;
      default: media(); break;
    }
  }
  std::unique_ptr<Forwarder> make_forwarder() {
    return std::make_unique<Forwarder>(ForwarderConfig{.history_packets = 16,
                                                       .max_sources = 6,
                                                       .max_receivers = 3,
                                                       .max_groups = 3,
                                                       .max_requests = 16,
                                                       .max_events = 16},
                                       rtp::NtpClock(core::Instant(), core::WallTime()), slab_, random_);
  }
  void hand_over(bool spoils) {
    ForwarderState state = forwarder_->export_state(now_);
    if (spoils) {
      spoil(state);
      const auto next = make_forwarder();
      if (!next->restore(now_, state) && next->export_state(now_).sources.size() != 0) std::abort();
      if (!next->is_consistent()) std::abort();
      if (next->deadline() && *next->deadline() <= now_) next->handle_timeout(now_, batch_);
      batch_.clear();
      return;
    }
    auto next = make_forwarder();
    if (!next->restore(now_, state) || !(next->export_state(now_) == state)) std::abort();
    forwarder_ = std::move(next);
  }
  void spoil(ForwarderState& s) {
    const auto any = [&](auto& list) -> auto* {
      return list.empty() ? nullptr : &list[in_.u8() % list.size()];
    };
    if (auto* source = any(s.sources)) {
      source->index = static_cast<SourceIndex>(source->index + (in_.u8() & 1));
      source->flowing_layers = static_cast<uint8_t>(source->flowing_layers ^ (in_.u8() & 1));
      if (auto* layer = any(source->layers)) layer->highest_sequence += static_cast<int16_t>(in_.u16());
    }
    if (auto* receiver = any(s.receivers)) {
      if (auto* slot = any(receiver->slots)) {
        slot->target = in_.u8() % 8u;
        slot->waiting = {in_.u8() % 8u, static_cast<uint8_t>(in_.u8() % 5)};
        slot->next_sequence += static_cast<int16_t>(in_.u16());
        if (auto* run = any(slot->runs)) run->shifts.sequence += static_cast<int16_t>(in_.u16());
      }
    }
    if (auto* group = any(s.groups)) {
      if (auto* member = any(group->talkers.members)) member->source = in_.u8() % 8u;
      group->talkers.weakest = in_.u8() % 4u;
      group->speaker.speakers.push_back(in_.u8() % 8u);
    }
  }
  uint32_t ssrc() { return in_.u8() % (generation_ + 1) * 1000 + in_.u8() % kPeers * 100u + in_.u8() % 8; }
  void add_receiver(uint32_t peer, size_t video) {
    ReceiverConfig c;
    c.peer = PeerId(peer);
    // A slot that went and comes back, or a peer that does, has another ssrc, as the answer of `peer` gives
    // it.
    uint32_t next = peer * 100 + ++generation_ * 1000;
    const uint8_t red = peer % 2 == 0 ? 63 : 0;
    for (uint16_t i = 0; i < 2; ++i) c.slots.push_back({SlotUse::Audio, i, ++next, 0, {111, red, 0, 0}, {}});
    for (uint16_t i = 0; i < video; ++i) {
      ++next;
      c.slots.push_back({SlotUse::Video, i, next, next + 50, {0, 0, 96, 102}, {0, 0, 97, 103}});
    }
    const auto r = forwarder_->add_receiver(now_, c);
    if (!r) return;
    forwarder_->set_receiver_ready(now_, *r, true);
  }
  void bind(uint32_t number, bool forwarded) {
    const auto kind = static_cast<SourceKind>(number % 4);
    forwarder_->bind_source(
        now_, {SourceNumber(number), PeerId(number % 3), kind, GroupId(1 + number / 6), forwarded});
    if (forwarded) {
      closed_.erase(number);
    } else {
      closed_.insert(number);
    }
  }
  void set_group() {
    GroupConfig g{GroupId(in_.u8() % 4), {}, in_.u8() % 3u, {}};
    for (uint32_t n = in_.u8() % 4; n > 0; --n) g.listeners.push_back(PeerId(in_.u8() % kPeers));
    if (in_.u8() & 1) g.always_heard.push_back(SourceNumber(in_.u8() % kSources));
    forwarder_->set_group(now_, g);
  }
  void set_view() {
    const PeerId peer(in_.u8() % kPeers);
    std::vector<SlotView> views;
    for (uint16_t n = in_.u8() % 4; n > 0; --n) {
      SlotView v{SlotUse::Video, static_cast<uint16_t>(in_.u8() % 4), {}, in_.u16(), in_.u16(), 0};
      const uint8_t what = in_.u8();
      v.show = what & 1 ? decltype(v.show)(GroupId(what % 4)) : SourceNumber(what % kSources);
      views.push_back(v);
    }
    forwarder_->set_view(now_, peer, views);
  }
  void nack() {
    std::vector<uint16_t> numbers;
    const ReceiverIndex r(in_.u8() % kPeers);
    const uint32_t to = ssrc();
    for (uint32_t n = in_.u8() % 8; n > 0; --n) numbers.push_back(in_.u16());
    if (last_.ssrc != 0) numbers.push_back(static_cast<uint16_t>(last_.sequence));
    forwarder_->handle_nack(now_, last_.ssrc != 0 ? last_.receiver : r, last_.ssrc != 0 ? last_.ssrc : to,
                            numbers, batch_);
  }
  void report() {
    const auto source = forwarder_->find_source(SourceNumber(in_.u8() % kSources));
    forwarder_->handle_sender_report(
        now_, source, in_.u8() % 5, {1, rtp::NtpTime::from_bits(in_.u64()), in_.u32(), in_.u32(), in_.u32()});
  }
  void media() {
    const uint32_t number = in_.u8() % kSources;
    MediaPacket p;
    p.source = forwarder_->find_source(SourceNumber(number));
    const uint8_t bits = in_.u8();
    p.layer = bits & 3;
    p.marker = bits & 4;
    p.format = static_cast<PayloadFormat>(bits >> 3 & 3);
    // Mostly in order, at times anywhere.
    uint16_t& next = next_[number][p.layer];
    if (bits & 0x80) next = static_cast<uint16_t>(next + in_.u16());
    p.sequence_number = next++;
    p.timestamp = bits & 0x40 ? in_.u32() : p.sequence_number * 3000u;
    if (bits & 0x20) p.audio_level = rtp::AudioLevel{true, in_.u8()};
    const uint32_t buffer = slab_.acquire();
    if (buffer == PayloadRef::kNone) return;
    const core::Bytes payload = in_.take(std::min<size_t>(in_.u8() % 48, in_.remaining()));
    std::copy(payload.begin(), payload.end(), slab_.buffer(buffer).begin());
    p.payload = {buffer, 0, static_cast<uint16_t>(payload.size())};
    forwarder_->handle_media(now_, p, batch_);
    slab_.release(buffer);
  }
  void collect() {
    for (const ForwardedPacket& p : batch_.packets) {
      if (closed_.contains(p.csrc)) std::abort();
      if (p.prefix_size > p.prefix.size() || size_t{p.body.offset} + p.body.size > slab_.buffer_size())
        std::abort();
      if (p.body.has_buffer() && p.body.buffer >= slab_.capacity()) std::abort();
      if (!seen_.emplace(p.ssrc, p.sequence).second) std::abort();
      if (!p.is_rtx) last_ = p;
    }
    batch_.clear();
    slab_.reclaim();
    if (!slab_.is_consistent()) std::abort();
    while (forwarder_->poll_request()) {
    }
    while (forwarder_->poll_event()) {
    }
  }

  core::ByteReader in_;
  PacketSlab slab_;
  core::SeededRandom random_;
  core::Instant now_ = core::Instant::from_nanos(1'000'000'000);
  std::unique_ptr<Forwarder> forwarder_;
  Batch batch_;
  ForwardedPacket last_;
  std::set<uint32_t> closed_;
  uint32_t generation_ = 0;
  std::set<std::pair<uint32_t, int64_t>> seen_;
  std::array<std::array<uint16_t, 4>, kSources> next_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Session(core::Bytes(data, size)).run();
  return 0;
}
