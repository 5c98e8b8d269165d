#include "sfu/media_ingest.h"

#include <algorithm>

#include "codec/h264.h"
#include "codec/red.h"

namespace huitang::sfu {
namespace {

constexpr core::Duration kSimulcastSilence = core::Duration::millis(1000);
constexpr core::Duration kSingleSilence =
    core::Duration::millis(3000);  // a still screen may send one picture a second
// A microphone without the level extension: taken for speech when its packets are no comfort noise.
constexpr uint8_t kAssumedSpeech = 40;
constexpr uint8_t kAssumedSilence = 127;
constexpr size_t kComfortNoise = 12;
// What a wrapping field of so many bits says, as the value nearest to `near`.
constexpr int64_t unwrap_near(int64_t near, uint32_t value, int bits) {
  const int64_t range = int64_t{1} << bits;
  const int64_t ahead = (static_cast<int64_t>(value) - near) & (range - 1);
  return near + (ahead < range / 2 ? ahead : ahead - range);
}

bool fits(SourceKind kind, PayloadFormat format) {
  return is_audio(kind) == (format == PayloadFormat::Opus || format == PayloadFormat::Red);
}

}  // namespace

void MediaIngest::handle_media(core::Instant now, const MediaPacket& packet, Batch& out) {
  ++t_.counters.packets_in;
  Source* source = t_.find(packet.source);
  if (source == nullptr || packet.layer >= kMaxLayers || !fits(source->binding.kind, packet.format)) {
    ++t_.counters.dropped_unknown;
    return;
  }
  if (!source->binding.forwarded) {
    ++t_.counters.dropped_muted;
    return;
  }
  const LayerRef ref{packet.source.index, packet.layer};
  const size_t before = out.packets.size();
  if (is_audio(source->binding.kind)) {
    ingest_audio(now, packet, *source, {ref.source, 0}, out);
  } else {
    ingest_video(now, packet, *source, ref, out);
  }
  t_.counters.packets_out += out.packets.size() - before;
}

std::optional<PacketFacts> MediaIngest::accept(core::Instant now, const MediaPacket& packet, Source& source,
                                               LayerRef ref) {
  SourceLayer& layer = source.layers[ref.layer];
  const bool is_video = !is_audio(source.binding.kind);
  const ReceiveWindow::Seen seen = layer.window.handle(packet.sequence_number);
  if (seen.verdict == ReceiveWindow::Verdict::Duplicate || seen.verdict == ReceiveWindow::Verdict::Jump) {
    ++t_.counters.dropped_duplicate;
    return std::nullopt;
  }
  const bool changes_format = is_video && layer.packets != 0 && layer.format != packet.format;
  if (seen.verdict == ReceiveWindow::Verdict::Restart || changes_format) restart_layer(now, ref);
  layer.format = packet.format;
  if (is_video && layer.history == nullptr) {
    layer.history = t_.history.make_index();
    layer.nacks = std::make_unique<rtp::NackTracker>();
  }

  PacketFacts facts;
  facts.sequence = seen.sequence;
  facts.timestamp = packet.timestamp;
  facts.format = packet.format;
  facts.marker = packet.marker;
  facts.is_key_frame_start = !is_video;
  if (is_video) note_sequence(now, layer, facts);
  if (is_video && packet.payload.size != 0 && !understand(t_.slab.bytes(packet.payload), layer, facts)) {
    ++t_.counters.dropped_malformed;
    return std::nullopt;
  }
  note_flow(now, source, ref);
  note_highest(now, layer, facts);
  ++layer.packets;
  layer.bytes += packet.payload.size;
  if (is_video)
    layer.meter.handle_packet(now, packet.payload.size, facts.timestamp, facts.is_key_frame_start);
  return facts;
}

void MediaIngest::restart_layer(core::Instant now, LayerRef ref) {
  ++t_.counters.source_restarts;
  switchboard_.clear_layer(now, ref, true);
  SourceLayer& layer = t_.layer(ref);
  layer.clock.reset();
  layer.highest_sequence = 0;
  layer.has_picture_id = false;
  if (layer.nacks != nullptr) *layer.nacks = rtp::NackTracker();
  forget_last_frame(*t_.sources[ref.source]);
}

void MediaIngest::note_sequence(core::Instant now, SourceLayer& layer, const PacketFacts& facts) {
  layer.nacks->handle_packet(now, static_cast<uint16_t>(facts.sequence));
  const bool leaves_gap = layer.highest_sequence != 0 && facts.sequence > layer.highest_sequence + 1;
  if (!leaves_gap) return;
  const auto due = layer.nacks->deadline();
  if (due && (!nack_deadline_ || *due < *nack_deadline_)) nack_deadline_ = due;
}

void MediaIngest::note_highest(core::Instant now, SourceLayer& layer, const PacketFacts& facts) {
  if (layer.packets != 0 && facts.sequence <= layer.highest_sequence) return;
  layer.highest_sequence = facts.sequence;
  layer.highest_timestamp = facts.timestamp;
  layer.highest_at = now;
  if (!facts.has_picture_id) return;
  layer.highest_picture_id = facts.picture_id;
  layer.highest_tl0 = facts.tl0;
  layer.has_picture_id = true;
}

void MediaIngest::note_flow(core::Instant now, Source& source, LayerRef ref) {
  SourceLayer& layer = source.layers[ref.layer];
  layer.last_packet = now;
  if (layer.is_flowing) return;
  layer.is_flowing = true;
  source.layer_count = std::max<uint8_t>(source.layer_count, static_cast<uint8_t>(ref.layer + 1));
  source.flowing_layers = static_cast<uint8_t>(source.flowing_layers | 1u << ref.layer);
  tell_flow(source);
  if (is_audio(source.binding.kind)) {
    mixer_.handle_source_change(now, ref.source);
  } else {
    director_.reconsider_source(now, ref.source);
  }
}

void MediaIngest::tell_flow(const Source& source) {
  t_.tell(SourceFlow{source.binding.number, source.flowing_layers != 0, source.flowing_layers});
}

void MediaIngest::handle_timeout(core::Instant now) {
  for (SourceIndex i = 0; i < t_.sources.size(); ++i) {
    if (t_.sources[i] == nullptr) continue;
    Source& source = *t_.sources[i];
    const core::Duration silence = source.layer_count > 1 ? kSimulcastSilence : kSingleSilence;
    const uint8_t before = source.flowing_layers;
    for (uint8_t l = 0; l < source.layer_count; ++l) {
      SourceLayer& layer = source.layers[l];
      if (!layer.is_flowing || now - layer.last_packet < silence) continue;
      layer.is_flowing = false;
      source.flowing_layers = static_cast<uint8_t>(source.flowing_layers & ~(1u << l));
    }
    if (source.flowing_layers == before) continue;
    tell_flow(source);
    if (is_audio(source.binding.kind)) {
      mixer_.handle_source_change(now, i);
    } else {
      director_.reconsider_source(now, i);
    }
  }
}

void MediaIngest::poll_nacks(core::Instant now) {
  nack_deadline_.reset();
  for (SourceIndex i = 0; i < t_.sources.size(); ++i) {
    if (t_.sources[i] == nullptr) continue;
    Source& source = *t_.sources[i];
    for (uint8_t l = 0; l < source.layer_count; ++l) {
      rtp::NackTracker* nacks = source.layers[l].nacks.get();
      if (nacks == nullptr) continue;
      UpstreamNack request{source.binding.number, l, 0, {}};
      request.count = static_cast<uint8_t>(nacks->poll_nack(now, request.numbers));
      const bool is_watched = !source.layers[l].forwarding.empty() || !source.layers[l].waiting.empty();
      if (request.count != 0 && is_watched) {
        t_.counters.upstream_nacks += request.count;
        t_.request(request);
      }
      if (nacks->take_given_up() && is_watched) switchboard_.want_key_frame(now, {i, l});
      const auto due = nacks->deadline();
      if (due && (!nack_deadline_ || *due < *nack_deadline_)) nack_deadline_ = due;
    }
  }
}

void MediaIngest::silence(core::Instant now, SourceIndex index) {
  for (uint8_t l = 0; l < kMaxLayers; ++l) switchboard_.clear_layer(now, {index, l}, false);
  Source& source = *t_.sources[index];
  forget_last_frame(source);
  // While closed its packets are not looked at: when it opens again its numbers have moved on, which is no
  // loss.
  for (SourceLayer& layer : source.layers) {
    if (layer.nacks != nullptr) *layer.nacks = rtp::NackTracker();
    layer.is_flowing = false;
  }
  if (source.flowing_layers == 0) return;
  source.flowing_layers = 0;
  tell_flow(source);
}

// ---- video
// --------------------------------------------------------------------------------------------------------

bool MediaIngest::understand(core::Bytes payload, SourceLayer& layer, PacketFacts& facts) {
  if (facts.format == PayloadFormat::Vp8) return understand_vp8(payload, layer, facts);
  const auto h264 = codec::parse_h264(payload);
  if (!h264) return false;
  // Only where the parameter sets come along: senders put them before each IDR picture.
  facts.is_key_frame_start = h264->has_sps;
  facts.width = h264->width;
  facts.height = h264->height;
  return true;
}

bool MediaIngest::understand_vp8(core::Bytes payload, SourceLayer& layer, PacketFacts& facts) {
  const auto vp8 = codec::parse_vp8(payload);
  if (!vp8) return false;
  const codec::Vp8Descriptor& d = vp8->descriptor;
  facts.is_key_frame_start = vp8->is_key_frame;
  facts.width = vp8->width;
  facts.height = vp8->height;
  facts.has_picture_id = d.picture_id.has_value();
  if (!d.picture_id) return true;
  const int64_t near = layer.has_picture_id ? layer.highest_picture_id : *d.picture_id;
  facts.picture_id = unwrap_near(near, *d.picture_id, d.has_long_picture_id ? 15 : 7);
  facts.has_tl0 = d.tl0_picture_index.has_value();
  facts.tl0 = d.tl0_picture_index.value_or(0);
  return true;
}

void MediaIngest::ingest_video(core::Instant now, const MediaPacket& packet, Source& source, LayerRef ref,
                               Batch& out) {
  const auto facts = accept(now, packet, source, ref);
  if (!facts) return;
  SourceLayer& layer = source.layers[ref.layer];
  t_.history.store(*layer.history,
                   {facts->sequence, now, packet.payload, facts->timestamp, 0,
                    static_cast<uint16_t>(facts->picture_id & 0x7fff), facts->format, facts->marker});
  if (facts->is_key_frame_start) begin_at_key_frame(now, source, ref, *facts);
  if (layer.forwarding.empty()) return;

  const VideoForm form(t_.slab.bytes(packet.payload), packet.payload, *facts, source.binding.number);
  if (facts->sequence == layer.highest_sequence) {
    for (const Subscription& s : layer.forwarding) form.append(s, out.packets);
    return;
  }
  for (const Subscription& s : layer.forwarding) {
    if (facts->sequence >= s.first_sequence) form.append(s, out.packets);
  }
  if (facts->is_key_frame_start) replay(now, source, ref, facts->sequence, out);
}

void MediaIngest::begin_at_key_frame(core::Instant now, Source& source, LayerRef ref,
                                     const PacketFacts& facts) {
  ++t_.counters.key_frames_in;
  SourceLayer& layer = source.layers[ref.layer];
  layer.key_frames.handle_key_frame();
  layer.nacks->handle_key_frame(static_cast<uint16_t>(facts.sequence));
  switchboard_.begin_waiting(now, ref, facts);
  if (facts.width == 0 || (facts.width == layer.width && facts.height == layer.height)) return;
  layer.width = facts.width;
  layer.height = facts.height;
  director_.reconsider_source(now, ref.source);
}

// A key frame's first packet that came late: those who begin with it also need what came meanwhile.
void MediaIngest::replay(core::Instant now, const Source& source, LayerRef ref, int64_t after, Batch& out) {
  const SourceLayer& layer = source.layers[ref.layer];
  for (int64_t s = after + 1; s <= layer.highest_sequence; ++s) {
    const StoredPacket* stored = t_.history.find(*layer.history, s, now);
    if (stored == nullptr) continue;
    const PacketFacts facts{.sequence = s,
                            .timestamp = stored->timestamp,
                            .format = stored->format,
                            .marker = stored->marker,
                            .has_picture_id = true,
                            .picture_id = stored->picture_id};
    const VideoForm form(t_.slab.bytes(stored->payload), stored->payload, facts, source.binding.number);
    for (const SlotId id : switchboard_.begun()) {
      const Slot& slot = t_.slots[id];
      if (slot.current == ref) form.append(layer.forwarding[slot.place], out.packets);
    }
  }
}

// ---- audio
// --------------------------------------------------------------------------------------------------------

void MediaIngest::ingest_audio(core::Instant now, const MediaPacket& packet, Source& source, LayerRef ref,
                               Batch& out) {
  if (packet.payload.size == 0) return;
  const auto facts = accept(now, packet, source, ref);
  if (!facts) return;
  const uint8_t assumed = packet.payload.size > kComfortNoise ? kAssumedSpeech : kAssumedSilence;
  mixer_.handle_level(now, source, packet.audio_level ? packet.audio_level->level : assumed);
  mixer_.settle(now);

  SourceLayer& layer = source.layers[0];
  const bool is_newest = facts->sequence == layer.highest_sequence;
  if (is_newest && !layer.waiting.empty()) switchboard_.begin_waiting(now, ref, *facts);
  if (layer.forwarding.empty()) {
    ++t_.counters.not_heard;
    forget_last_frame(source);
    return;
  }
  AudioForm form(*facts, source.binding.number, packet.audio_level);
  if (!form_audio(packet, *facts, source, form)) {
    ++t_.counters.dropped_malformed;
    return;
  }
  for (const Subscription& s : layer.forwarding) {
    if (facts->sequence >= s.first_sequence) form.append(s, out.packets);
  }
}

bool MediaIngest::form_audio(const MediaPacket& packet, const PacketFacts& facts, Source& source,
                             AudioForm& form) {
  if (packet.format == PayloadFormat::Red) {
    forget_last_frame(source);
    return form_from_red(packet, form);
  }
  form.set_plain(packet.payload);
  const auto takes_red = [](const Subscription& s) {
    return s.payload_types[static_cast<size_t>(PayloadFormat::Red)] != 0;
  };
  if (std::ranges::any_of(source.layers[0].forwarding, takes_red))
    make_red(packet.payload, facts, source, form);
  return true;
}

// Passed on with the header written anew for each receiver's payload types, and unwrapped for those without
// RED.
bool MediaIngest::form_from_red(const MediaPacket& packet, AudioForm& form) {
  const core::Bytes payload = t_.slab.bytes(packet.payload);
  const auto red = codec::parse_red(payload);
  if (!red || red->newest().data.empty()) return false;
  const auto offset_of = [&](core::Bytes block) {
    return static_cast<size_t>(block.data() - payload.data());
  };
  form.set_plain(packet.payload.without_prefix(offset_of(red->newest().data)));
  ++t_.counters.red_unwrapped;

  const auto older = red->older();
  const size_t skipped = older.size() > AudioForm::kMaxOlder ? older.size() - AudioForm::kMaxOlder : 0;
  std::array<AudioForm::Block, AudioForm::kMaxOlder> blocks;
  size_t bytes = red->newest().data.size();
  for (size_t i = skipped; i < older.size(); ++i) {
    blocks[i - skipped] = {older[i].timestamp_offset, static_cast<uint16_t>(older[i].data.size())};
    bytes += older[i].data.size();
  }
  form.set_red(packet.payload.without_prefix(payload.size() - bytes),
               {blocks.data(), older.size() - skipped});
  return true;
}

void MediaIngest::make_red(PayloadRef frame, const PacketFacts& facts, Source& source, AudioForm& form) {
  LastFrame& last = source.last_frame;
  const uint32_t offset = facts.timestamp - last.timestamp;
  const bool follows = last.payload.has_buffer() && facts.sequence == last.sequence + 1 && offset != 0 &&
                       offset <= codec::kMaxRedOffset && last.payload.size <= codec::kMaxRedLength &&
                       size_t{last.payload.size} + frame.size <= t_.slab.buffer_size();
  const uint32_t buffer = follows ? t_.slab.acquire() : PayloadRef::kNone;
  if (buffer != PayloadRef::kNone) {
    const core::MutableBytes to = t_.slab.buffer(buffer);
    std::ranges::copy(t_.slab.bytes(last.payload), to.begin());
    std::ranges::copy(t_.slab.bytes(frame), to.begin() + last.payload.size);
    const AudioForm::Block older{static_cast<uint16_t>(offset), last.payload.size};
    form.set_red({buffer, 0, static_cast<uint16_t>(last.payload.size + frame.size)}, {&older, 1});
    t_.slab.release(buffer);  // stays as it is until reclaim()
    ++t_.counters.red_made;
  }
  if (last.payload.has_buffer() && facts.sequence < last.sequence) return;
  forget_last_frame(source);
  t_.slab.retain(frame.buffer);
  last = {frame, facts.timestamp, facts.sequence};
}

void MediaIngest::forget_last_frame(Source& source) {
  if (source.last_frame.payload.has_buffer()) t_.slab.release(source.last_frame.payload.buffer);
  source.last_frame = {};
}

}  // namespace huitang::sfu
