// The media endpoint of a bot: ICE (full), DTLS (client), SRTP and the lines of a web client, behind one
// object without I/O. Makes its own offer, takes the node's answer, sends encoded test pictures in simulcast
// and a tone, and watches what its slots receive.
//
// Fed by a shell (or a test) with datagrams and time. Codecs run inside, so unlike an engine it costs
// milliseconds. One turn: handle_* → poll_transmit until nothing → poll_event until nothing → wait for
// deadline().
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "bot/audio_source.h"
#include "bot/client_transport.h"
#include "bot/outbound_stream.h"
#include "bot/slot_receiver.h"
#include "bot/video_source.h"
#include "bwe/twcc_recorder.h"
#include "rtp/rtcp.h"

namespace huitang::bot {

struct BotConfig {
  std::string name = "Bot";
  uint16_t mark = 1;
  double tone_hertz = 440;
  bool receive_only = false;  ///< sends neither sound nor pictures
  bool has_clap = false;
  bool sends_red = false;
  core::Duration video_delay;  ///< pictures leave that much later than their sound; timestamps stay true
  bool looks = false;          ///< decode pictures, read marks
  std::vector<double> tone_candidates;     ///< decode sound, find these
  core::Duration clock_offset;             ///< local time minus UTC, for the clock in the picture
  std::optional<core::SocketAddress> via;  ///< ClientTransport::Config::via
  sdp::ClientShape shape;
  std::vector<VideoLayerShape> layers = {{{160, 90}, core::Bitrate::kbps(80)},
                                         {{320, 180}, core::Bitrate::kbps(200)},
                                         {{640, 360}, core::Bitrate::kbps(500)}};
};

/// Shared by all bots of a process; all of it outlives them.
struct BotServices {
  ClientTransport::Services transport;
  rtp::NtpClock clock;  ///< one for all, or their pictures show different times
};

struct BotConnected {
  crypto::SrtpProfile profile = crypto::SrtpProfile::AeadAes128Gcm;
};
/// Comes back by itself or not (`is_final`).
struct BotDisconnected {
  bool is_final = false;
  std::string reason;
};
using BotEvent = std::variant<BotConnected, BotDisconnected, MarkSeen, TonesHeard, SourceChanged>;

struct BotSnapshot {
  TransportState transport = TransportState::New;
  uint64_t packets_in = 0, packets_out = 0;
  uint64_t refused_in = 0;  ///< not authentic, malformed, of no known stream, or before the keys
  uint64_t dropped_out = 0;
  uint64_t nacks_in = 0, repairs_sent = 0, key_frame_requests_in = 0, key_frames_sent = 0;
  size_t active_layers = 0;
  core::Duration round_trip;
  std::vector<SlotSnapshot> slots;
};

class BotPeer {
 public:
  static constexpr size_t kMaxTransmits = 4096;
  static constexpr size_t kMaxEvents = 1024;
  static constexpr size_t kMaxPaced = 2048;

  BotPeer(core::Instant now, BotConfig config, const BotServices& services);

  const std::string& offer() const { return transport_.offer_text(); }
  const std::vector<sdp::OfferedLine>& lines() const { return transport_.lines(); }
  core::Result<void, std::string> handle_answer(core::Instant now, std::string_view answer);

  void handle_datagram(core::Instant now, const core::SocketAddress& from, core::MutableBytes datagram);
  void handle_deadline(core::Instant now);
  std::optional<core::Transmit> poll_transmit();
  std::optional<BotEvent> poll_event();
  std::optional<core::Instant> deadline() const;

  /// New ICE credentials: a new offer() for the same peer, whose answer goes to handle_answer.
  void restart_ice(core::Instant now) { transport_.restart_ice(now); }
  void set_microphone(bool on) { microphone_on_ = on; }
  void set_camera(core::Instant now, bool on);
  /// Which layers of the camera somebody watches, as bits.
  void set_camera_demand(uint32_t layers);
  /// Says BYE and close_notify; poll_transmit once more.
  void close(core::Instant now);
  BotSnapshot snapshot() const;

 private:
  struct Paced {
    core::Instant release;
    size_t layer = 0;
    OutboundPacket packet;
  };

  void read_lines(core::Instant now);
  void add_source(core::Instant now, const sdp::OfferedLine& offered, const sdp::NegotiatedLine& line);
  void add_slot(const sdp::OfferedLine& offered, const sdp::NegotiatedLine& line);
  OutboundStream::Config stream_config(core::Instant now, const sdp::NegotiatedLine& line);

  void drain_states(core::Instant now);
  void start_media(core::Instant now);
  void handle_rtp(core::Instant now, const rtp::PacketView& packet, core::MutableBytes datagram);
  void handle_feedback(core::Instant now, const rtp::RtcpView& view);
  void handle_loss(core::Instant now, const rtp::TransportFeedbackView& feedback);
  void resend(core::Instant now, const rtp::NackView& nack);
  void request_key_frame(uint32_t media_ssrc);
  void learn_round_trip(core::Instant now, const rtp::ReportBlocks& blocks);
  void drain_slot(SlotReceiver& slot);

  void make_audio(core::Instant now);
  void make_video(core::Instant now);
  void send_paced(core::Instant now);
  void send_repairs_and_requests(core::Instant now);
  void send_reports(core::Instant now);
  void send_transport_feedback(core::Instant now);
  void send_rtcp(core::Bytes packet);
  void send(core::Buffer datagram);
  void push(BotEvent event);
  std::string clock_text(core::Instant at) const;

  BotConfig config_;
  BotServices services_;
  std::string cname_;
  uint32_t own_ssrc_;  ///< that speaks in feedback
  ClientTransport transport_;
  bool has_started_ = false;  ///< connected once
  std::optional<OutboundStream> audio_stream_;
  std::vector<OutboundStream> video_streams_;  ///< by layer
  std::optional<AudioSource> audio_;
  std::optional<VideoSource> video_;
  bool microphone_on_ = true;
  bool camera_on_ = true;
  core::Instant origin_;  ///< media time zero
  int64_t next_audio_frame_ = 0;
  int64_t next_video_frame_ = 0;
  std::deque<Paced> paced_;
  core::Instant pace_at_;
  uint16_t next_transport_number_ = 0;

  std::vector<std::unique_ptr<SlotReceiver>> slots_;
  std::unordered_map<uint32_t, SlotReceiver*> slots_by_ssrc_;
  std::optional<bwe::TwccRecorder> recorder_;
  core::Instant next_report_;

  uint32_t feedback_received_ = 0;
  uint32_t feedback_lost_ = 0;
  core::Instant feedback_since_;
  core::Bitrate allowed_;
  core::Duration round_trip_ = core::Duration::millis(50);

  std::deque<core::Transmit> transmits_;
  std::deque<BotEvent> events_;
  BotSnapshot counters_;
};

}  // namespace huitang::bot
