// Cost of forwarding without crypto and sockets: nanoseconds per copy that leaves, one publisher to many
// receivers; and of microphones that nobody hears.
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "core/random.h"
#include "sfu/forwarder.h"

namespace {

using namespace huitang;
using namespace huitang::sfu;

constexpr size_t kPayload = 1100;

struct Node {
  explicit Node(size_t receivers)
      : slab({.buffers = 16384, .buffer_size = 1536}),
        random(1),
        forwarder({}, rtp::NtpClock(core::Instant(), core::WallTime()), slab, random) {
    GroupConfig group{GroupId(1), {}, 0, {}};
    for (uint32_t i = 0; i < receivers; ++i) {
      ReceiverConfig config;
      config.peer = PeerId(i + 1);
      for (uint16_t k = 0; k < 6; ++k) {
        config.slots.push_back({SlotUse::Audio, k, i * 100 + k + 1, 0, {111, 63, 0, 0}, {}});
      }
      for (uint16_t k = 0; k < 16; ++k) {
        config.slots.push_back(
            {SlotUse::Video, k, i * 100 + k + 50, i * 100 + k + 70, {0, 0, 96, 0}, {0, 0, 97, 0}});
      }
      const auto r = *forwarder.add_receiver(now, config);
      forwarder.set_receiver_ready(now, r, true);
      const SlotView view{SlotUse::Video, 0, SourceNumber(1), 1280, 720, 0};
      forwarder.set_view(now, PeerId(i + 1), {&view, 1});
      group.listeners.push_back(PeerId(i + 1));
    }
    forwarder.set_group(now, group);
  }
  SourceHandle bind(uint32_t number, SourceKind kind) {
    return forwarder.bind_source(now, {SourceNumber(number), PeerId(10000 + number), kind, GroupId(1), true});
  }
  PayloadRef put(core::Bytes payload) {
    const uint32_t buffer = slab.acquire();
    std::copy(payload.begin(), payload.end(), slab.buffer(buffer).begin());
    return {buffer, 0, static_cast<uint16_t>(payload.size())};
  }
  /// As the worker: hand in, let go, seal (not here), reclaim.
  size_t turn(MediaPacket packet, core::Bytes payload) {
    batch.clear();
    packet.payload = put(payload);
    forwarder.handle_media(now, packet, batch);
    slab.release(packet.payload.buffer);
    benchmark::DoNotOptimize(batch.packets.data());
    const size_t n = batch.packets.size();
    slab.reclaim();
    return n;
  }
  void tick(core::Duration d) {
    now += d;
    if (const auto due = forwarder.deadline(); due && *due <= now) forwarder.handle_timeout(now, batch);
    while (forwarder.poll_request()) {
    }
    while (forwarder.poll_event()) {
    }
  }

  PacketSlab slab;
  core::SeededRandom random;
  core::Instant now = core::Instant::from_nanos(1'000'000'000);
  Forwarder forwarder;
  Batch batch;
};

void report(benchmark::State& state, size_t copies) {
  state.counters["per_copy"] = benchmark::Counter(static_cast<double>(copies),
                                                  benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["copies"] = static_cast<double>(copies);
}

void forward_vp8(benchmark::State& state) {
  Node node(static_cast<size_t>(state.range(0)));
  const SourceHandle source = node.bind(1, SourceKind::Camera);
  core::Buffer payload(kPayload, 0x55);
  const std::array<uint8_t, 16> key{0x90, 0xe0, 0x80, 0,    0,    0,    0x10, 0,
                                    0,    0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x02};
  std::copy(key.begin(), key.end(), payload.begin());
  MediaPacket packet{.source = source, .format = PayloadFormat::Vp8};
  size_t copies = node.turn(packet, payload);
  payload[0] = 0x80;
  copies = 0;
  for (auto _ : state) {
    ++packet.sequence_number;
    packet.timestamp += 300;
    payload[3] = static_cast<uint8_t>(0x80 | (packet.sequence_number >> 10 & 0x7f));
    copies += node.turn(packet, payload);
    node.tick(core::Duration::millis(1));
  }
  report(state, copies);
}
BENCHMARK(forward_vp8)->Arg(1)->Arg(10)->Arg(50)->Arg(200);

void forward_opus(benchmark::State& state, bool red) {
  Node node(static_cast<size_t>(state.range(0)));
  const SourceHandle source = node.bind(2, SourceKind::Microphone);
  const core::Buffer opus(100, 0x78);
  core::Buffer wrapped{0x80 | 111, 960 >> 6, static_cast<uint8_t>(960 << 2), 100, 111};
  wrapped.insert(wrapped.end(), 200, 0x78);
  MediaPacket packet{.source = source,
                     .format = red ? PayloadFormat::Red : PayloadFormat::Opus,
                     .audio_level = rtp::AudioLevel{true, 20}};
  size_t copies = 0;
  for (auto _ : state) {
    ++packet.sequence_number;
    packet.timestamp += 960;
    copies += node.turn(packet, red ? wrapped : opus);
    node.tick(core::Duration::millis(20));
  }
  report(state, copies);
}
BENCHMARK_CAPTURE(forward_opus, made_red, false)->Arg(10)->Arg(300);
BENCHMARK_CAPTURE(forward_opus, passed_red, true)->Arg(10)->Arg(300);

// 300 open microphones, four of them heard by 50: time per packet that came in, heard or not.
void open_microphones(benchmark::State& state) {
  Node node(50);
  std::vector<MediaPacket> packets;
  for (uint32_t i = 0; i < static_cast<uint32_t>(state.range(0)); ++i) {
    const SourceHandle source = node.bind(1000 + i, SourceKind::Microphone);
    packets.push_back({.source = source,
                       .format = PayloadFormat::Opus,
                       .audio_level = rtp::AudioLevel{true, static_cast<uint8_t>(i < 4 ? 20 : 30 + i % 30)}});
  }
  const core::Buffer opus(100, 0x78);
  size_t in = 0;
  size_t copies = 0;
  for (auto _ : state) {
    for (MediaPacket& p : packets) {
      ++p.sequence_number;
      p.timestamp += 960;
      copies += node.turn(p, opus);
      ++in;
    }
    node.tick(core::Duration::millis(20));
  }
  state.counters["copies/round"] =
      benchmark::Counter(static_cast<double>(copies), benchmark::Counter::kAvgIterations);
  state.counters["per_packet_in"] =
      benchmark::Counter(static_cast<double>(in), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(open_microphones)->Arg(4)->Arg(300);

}  // namespace

BENCHMARK_MAIN();
