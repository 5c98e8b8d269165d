// One receiving slot of a bot: counts, checks that the stream stays continuous while the node changes what
// plays on it, asks for repairs and key frames, and looks at picture and sound when told to.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/bytes.h"
#include "core/time.h"
#include "core/unwrap.h"
#include "media/opus_codec.h"
#include "media/tone.h"
#include "media/vp8_codec.h"
#include "media/vp8_rtp.h"
#include "rtp/nack_tracker.h"
#include "rtp/packet.h"
#include "rtp/receive_statistics.h"
#include "sdp/offer.h"

namespace huitang::bot {

struct SlotId {
  sdp::LineUse use = sdp::LineUse::AudioSlot;
  uint32_t index = 0;
  friend bool operator==(const SlotId&, const SlotId&) = default;
};

struct SlotReceiverConfig {
  SlotId slot;
  uint32_t ssrc = 0;
  uint32_t rtx_ssrc = 0;  ///< 0: none
  uint8_t payload_type = 0;
  std::optional<uint8_t> rtx_payload_type;
  std::optional<uint8_t> red_payload_type;
  bool looks = false;                   ///< decode pictures and read marks
  std::vector<double> tone_candidates;  ///< decode sound and find these; empty: do not
};

/// What was seen or heard; comes when it changes.
struct MarkSeen {
  SlotId slot;
  uint32_t source = 0;  ///< CSRC of the frame
  uint16_t mark = 0;    ///< 0: a picture without a mark
  bool is_lamp_lit = false;
  media::PictureSize size;
  core::Instant at;
};
struct TonesHeard {
  SlotId slot;
  uint32_t source = 0;
  std::vector<double> hertz;  ///< empty: silence
  core::Instant at;
};
/// The slot carries another source now; `at` is its first packet.
struct SourceChanged {
  SlotId slot;
  uint32_t source = 0;
  core::Instant at;
};

struct SlotSnapshot {
  SlotId slot;
  uint32_t source = 0;
  uint64_t packets = 0;
  uint64_t bytes = 0;
  int64_t lost = 0;
  uint64_t recovered = 0;
  uint32_t source_changes = 0;
  uint32_t restarts = 0;          ///< sequence number jumps: always a fault of the sender
  uint32_t timestamp_faults = 0;  ///< neighbouring packets whose timestamps run backward or leap
  uint32_t picture_id_faults = 0;
  uint64_t frames = 0;
  uint64_t key_frame_requests = 0;
  uint64_t undecodable = 0;
  std::optional<core::Duration>
      last_switch_to_picture;  ///< first packet of a new source until its first picture
};

class SlotReceiver {
 public:
  explicit SlotReceiver(SlotReceiverConfig config);

  const SlotReceiverConfig& config() const { return config_; }
  /// An opened packet of this slot's SSRC or RTX SSRC.
  void handle_packet(core::Instant now, core::MutableBytes packet);
  void handle_sender_report(core::Instant now, const rtp::SenderInfo& info);
  void set_round_trip_time(core::Duration rtt) { nack_.set_round_trip_time(rtt); }

  size_t poll_nack(core::Instant now, std::span<uint16_t> out);
  /// A picture loss indication is due.
  bool poll_key_frame_request(core::Instant now);
  std::optional<core::Instant> deadline() const;
  rtp::ReportBlock take_report(core::Instant now) { return statistics_.take_report(now); }
  bool has_news() const { return statistics_.has_news(); }

  /// Drained by the peer after each call.
  std::vector<MarkSeen> marks;
  std::vector<TonesHeard> tones;
  std::vector<SourceChanged> changes;

  SlotSnapshot snapshot() const;

 private:
  bool is_audio() const { return config_.slot.use == sdp::LineUse::AudioSlot; }
  void handle_media(core::Instant now, const rtp::PacketView& packet);
  void note_source(core::Instant now, const rtp::PacketView& packet);
  void check_continuity(const rtp::PacketView& packet);
  void look(core::Instant now, const rtp::PacketView& packet);
  void note_picture(core::Instant now, const media::Vp8Frame& frame, const media::DecodedPicture& picture);
  void listen(core::Instant now, const rtp::PacketView& packet);

  SlotReceiverConfig config_;
  rtp::ReceiveStatistics statistics_;
  rtp::NackTracker nack_;
  core::Unwrapper<uint16_t> numbers_;
  int64_t highest_ = -1;
  uint32_t last_timestamp_ = 0;
  std::optional<uint16_t> last_picture_id_;
  uint32_t source_ = 0;
  std::optional<core::Instant> source_since_;  ///< until its first picture
  std::unique_ptr<media::Vp8Assembler> assembler_;
  std::optional<media::Vp8Decoder> video_decoder_;
  std::optional<media::AudioDecoder> audio_decoder_;
  std::optional<media::ToneDetector> tone_detector_;
  std::optional<MarkSeen> last_mark_;
  std::optional<TonesHeard> last_tones_;
  bool wants_key_frame_ = false;
  core::Instant next_key_frame_request_;
  SlotSnapshot counters_;
};

}  // namespace huitang::bot
