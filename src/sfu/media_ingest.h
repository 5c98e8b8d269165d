// The way of one media packet through the node: checked, understood once, kept for repair, copied to
// everyone.
#pragma once

#include "sfu/audio_mixer.h"
#include "sfu/packet_former.h"
#include "sfu/video_director.h"

namespace huitang::sfu {

class MediaIngest {
 public:
  MediaIngest(Tables& t, Switchboard& s, VideoDirector& v, AudioMixer& a)
      : t_(t), switchboard_(s), director_(v), mixer_(a) {}

  void handle_media(core::Instant now, const MediaPacket& packet, Batch& out);
  /// Sources that fell silent; events about flow.
  void handle_timeout(core::Instant now);
  /// NACKs that are due to senders; called at nack_deadline() or later.
  void poll_nacks(core::Instant now);
  std::optional<core::Instant> nack_deadline() const { return nack_deadline_; }
  /// Ends everything that goes out from the source; forgets what may not be repeated.
  void silence(core::Instant now, SourceIndex source);

  // Handing over (state.h). What is not right is refused; the layer is then to be thrown away.
  LayerState export_layer(const SourceLayer& layer) const;
  bool restore_layer(core::Instant now, const LayerState& state, SourceLayer& layer);
  bool restore_nack_deadline(core::Instant now, std::optional<core::Instant> deadline);

 private:
  /// Absent: not to be forwarded.
  std::optional<PacketFacts> accept(core::Instant now, const MediaPacket& packet, Source& source,
                                    LayerRef ref);
  bool understand(core::Bytes payload, SourceLayer& layer, PacketFacts& facts);
  bool understand_vp8(core::Bytes payload, SourceLayer& layer, PacketFacts& facts);
  void restart_layer(core::Instant now, LayerRef ref);
  void note_flow(core::Instant now, Source& source, LayerRef ref);
  void note_highest(core::Instant now, SourceLayer& layer, const PacketFacts& facts);
  void note_sequence(core::Instant now, SourceLayer& layer, const PacketFacts& facts);
  void tell_flow(const Source& source);

  void ingest_video(core::Instant now, const MediaPacket& packet, Source& source, LayerRef ref, Batch& out);
  void begin_at_key_frame(core::Instant now, Source& source, LayerRef ref, const PacketFacts& facts);
  void replay(core::Instant now, const Source& source, LayerRef ref, int64_t after, Batch& out);

  void ingest_audio(core::Instant now, const MediaPacket& packet, Source& source, LayerRef ref, Batch& out);
  bool form_audio(const MediaPacket& packet, const PacketFacts& facts, Source& source, AudioForm& form);
  bool form_from_red(const MediaPacket& packet, AudioForm& form);
  void make_red(PayloadRef frame, const PacketFacts& facts, Source& source, AudioForm& form);
  void forget_last_frame(Source& source);

  Tables& t_;
  Switchboard& switchboard_;
  VideoDirector& director_;
  AudioMixer& mixer_;
  std::optional<core::Instant> nack_deadline_;
};

}  // namespace huitang::sfu
