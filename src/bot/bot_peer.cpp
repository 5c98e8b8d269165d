#include "bot/bot_peer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "srtp/sealer.h"

namespace huitang::bot {

namespace {

constexpr size_t kMaxDatagram = 1472;
constexpr core::Duration kReportInterval = core::Duration::seconds(1);
constexpr core::Duration kVideoPeriod = core::Duration::nanos(1'000'000'000 / VideoSource::kFramesPerSecond);
constexpr core::Bitrate kPacingRate = core::Bitrate::kbps(6000);
constexpr core::Duration kPacingBurst = core::Duration::millis(5);
// Media made late by more than this (the process was stopped) is skipped, not caught up with.
constexpr core::Duration kLongestCatchUp = core::Duration::millis(500);
// The simple rate control of a test sender, by loss alone: down by 15 % above a tenth, up by 8 % below a
// fiftieth.
constexpr core::Duration kLossInterval = core::Duration::seconds(1);
constexpr double kHighLoss = 0.10, kLowLoss = 0.02, kDecrease = 0.85, kIncrease = 1.08;
constexpr core::Bitrate kLowestRate = core::Bitrate::kbps(60);

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

rtp::ExtensionIds to_extension_ids(const sdp::ExtensionIdTable& table) {
  rtp::ExtensionIds ids;
  for (size_t i = 0; i < sdp::kHeaderExtensions; ++i)
    ids.of(static_cast<rtp::ExtensionKind>(i)) = table.ids[i];
  return ids;
}

std::string make_cname(core::Random& random) {
  constexpr char digits[] = "0123456789abcdef";
  std::string s;
  for (int i = 0; i < 16; ++i) s += digits[random.below(16)];
  return s;
}

ClientTransport::Config transport_config(const BotConfig& config, const std::string& cname) {
  ClientTransport::Config c{.lines = sdp::client_lines(config.shape), .cname = cname, .via = config.via};
  if (config.sends_red) c.audio_codecs = {sdp::Codec::Red, sdp::Codec::Opus};
  return c;
}

std::optional<core::Instant> earlier(std::optional<core::Instant> a, std::optional<core::Instant> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

BotPeer::BotPeer(core::Instant now, BotConfig config, const BotServices& services)
    : config_(std::move(config)),
      services_(services),
      cname_(make_cname(services.transport.random)),
      own_ssrc_(services.transport.random.u32() | 1),
      transport_(now, transport_config(config_, cname_), services.transport) {
  for (const VideoLayerShape& layer : config_.layers) allowed_ = allowed_ + layer.bitrate;
}

// --- answer ---

core::Result<void, std::string> BotPeer::handle_answer(core::Instant now, std::string_view answer) {
  auto accepted = transport_.handle_answer(now, answer);
  if (!accepted) return accepted;
  if (!recorder_) {
    recorder_.emplace(bwe::TwccRecorder::Config{.sender_ssrc = own_ssrc_});
    read_lines(now);
  }
  drain_states(now);
  return {};
}

void BotPeer::read_lines(core::Instant now) {
  for (size_t i = 0; i < lines().size(); ++i) {
    const sdp::OfferedLine& offered = lines()[i];
    const sdp::NegotiatedLine& line = transport_.negotiated().lines[i];
    if (line.rejected || line.codecs.empty()) continue;
    sdp::is_source(offered.use) ? add_source(now, offered, line) : add_slot(offered, line);
  }
}

OutboundStream::Config BotPeer::stream_config(core::Instant now, const sdp::NegotiatedLine& line) {
  return {.ssrc = services_.transport.random.u32(),
          .rtx_ssrc = services_.transport.random.u32(),
          .payload_type = line.codecs.front().payload_type,
          .rtx_payload_type = line.codecs.front().rtx_payload_type,
          .clock_rate = line.codecs.front().clock_rate,
          .first_number = static_cast<uint16_t>(services_.transport.random.below(0x8000)),
          .first_rtx_number = static_cast<uint16_t>(services_.transport.random.below(0x8000)),
          .timestamp_offset = services_.transport.random.u32(),
          .origin = now,
          .mid = line.mid,
          .extensions = to_extension_ids(line.extensions)};
}

void BotPeer::add_source(core::Instant now, const sdp::OfferedLine& offered,
                         const sdp::NegotiatedLine& line) {
  if (config_.receive_only) return;
  if (offered.use == sdp::LineUse::Microphone) {
    const sdp::NegotiatedCodec* red = config_.sends_red ? line.find_codec(sdp::Codec::Red) : nullptr;
    const sdp::NegotiatedCodec* opus = line.find_codec(sdp::Codec::Opus);
    if (opus == nullptr) return;
    auto c = stream_config(now, line);
    c.payload_type = red != nullptr ? red->payload_type : opus->payload_type;
    c.clock_rate = opus->clock_rate;
    audio_stream_.emplace(std::move(c));
    audio_.emplace(
        AudioSourceConfig{.tone_hertz = config_.tone_hertz,
                          .has_clap = config_.has_clap,
                          .red_inner = red != nullptr ? std::optional(opus->payload_type) : std::nullopt});
  }
  if (offered.use == sdp::LineUse::Camera) {
    const size_t count = std::max<size_t>(1, std::min(line.rids.size(), config_.layers.size()));
    for (size_t layer = 0; layer < count; ++layer) {
      auto c = stream_config(now, line);
      if (layer < line.rids.size()) c.rid = line.rids[layer];
      video_streams_.emplace_back(std::move(c));
    }
    config_.layers.resize(count);
    video_.emplace(VideoSourceConfig{
        .name = config_.name, .mark = config_.mark, .has_clap = config_.has_clap, .layers = config_.layers});
  }
}

void BotPeer::add_slot(const sdp::OfferedLine& offered, const sdp::NegotiatedLine& line) {
  if (line.remote_ssrcs.empty()) return;
  const bool is_audio = offered.use == sdp::LineUse::AudioSlot;
  const sdp::NegotiatedCodec* codec = line.find_codec(is_audio ? sdp::Codec::Opus : sdp::Codec::Vp8);
  if (codec == nullptr) return;
  SlotReceiverConfig c{.slot = {offered.use, offered.index},
                       .ssrc = line.remote_ssrcs.front(),
                       .payload_type = codec->payload_type,
                       .rtx_payload_type = codec->rtx_payload_type,
                       .looks = config_.looks,
                       .tone_candidates = config_.tone_candidates};
  for (const auto& [media, rtx] : line.remote_rtx) {
    if (media == c.ssrc) c.rtx_ssrc = rtx;
  }
  if (const auto* red = line.find_codec(sdp::Codec::Red)) c.red_payload_type = red->payload_type;
  slots_.push_back(std::make_unique<SlotReceiver>(std::move(c)));
  SlotReceiver* slot = slots_.back().get();
  slots_by_ssrc_[slot->config().ssrc] = slot;
  if (slot->config().rtx_ssrc != 0) slots_by_ssrc_[slot->config().rtx_ssrc] = slot;
}

// --- in ---

void BotPeer::handle_datagram(core::Instant now, const core::SocketAddress& from,
                              core::MutableBytes datagram) {
  ++counters_.packets_in;
  const auto received = transport_.handle_datagram(now, from, datagram);
  drain_states(now);
  if (const auto* rtp = std::get_if<ClientTransport::Rtp>(&received)) handle_rtp(now, rtp->packet, datagram);
  if (const auto* rtcp = std::get_if<ClientTransport::Rtcp>(&received)) {
    rtp::CompoundReader reader(rtcp->packets);
    while (const auto view = reader.next()) handle_feedback(now, *view);
  }
}

void BotPeer::drain_states(core::Instant now) {
  while (const auto state = transport_.poll_state()) {
    switch (*state) {
      case TransportState::New:
      case TransportState::Connecting: break;
      case TransportState::Connected:
        if (!has_started_) start_media(now);
        push(BotConnected{transport_.srtp_profile().value_or(crypto::SrtpProfile::AeadAes128Gcm)});
        break;
      case TransportState::Disconnected: push(BotDisconnected{false, "consent lost"}); break;
      case TransportState::Failed: push(BotDisconnected{true, transport_.failure()}); break;
    }
  }
}

void BotPeer::start_media(core::Instant now) {
  has_started_ = true;
  origin_ = pace_at_ = next_report_ = feedback_since_ = now;
}

void BotPeer::handle_rtp(core::Instant now, const rtp::PacketView& packet, core::MutableBytes datagram) {
  const uint32_t ssrc = packet.header.ssrc;
  if (const auto number = rtp::read_transport_cc(packet, transport_.extension_ids())) {
    recorder_->handle_packet(now, *number, ssrc, core::ByteCount(static_cast<int64_t>(datagram.size())));
  }
  const auto slot = slots_by_ssrc_.find(ssrc);
  if (slot == slots_by_ssrc_.end()) {
    ++counters_.refused_in;
    return;
  }
  const auto offset = static_cast<size_t>(packet.bytes.data() - datagram.data());
  slot->second->handle_packet(now, datagram.subspan(offset, packet.bytes.size()));
  drain_slot(*slot->second);
}

void BotPeer::drain_slot(SlotReceiver& slot) {
  for (auto& e : slot.changes) push(std::move(e));
  for (auto& e : slot.marks) push(std::move(e));
  for (auto& e : slot.tones) push(std::move(e));
  slot.changes.clear();
  slot.marks.clear();
  slot.tones.clear();
}

void BotPeer::handle_feedback(core::Instant now, const rtp::RtcpView& view) {
  std::visit(
      Overloaded{[&](const rtp::SenderReportView& v) {
                   const auto slot = slots_by_ssrc_.find(v.info.ssrc);
                   if (slot != slots_by_ssrc_.end()) slot->second->handle_sender_report(now, v.info);
                   learn_round_trip(now, v.blocks);
                 },
                 [&](const rtp::ReceiverReportView& v) { learn_round_trip(now, v.blocks); },
                 [&](const rtp::NackView& v) { resend(now, v); },
                 [&](const rtp::PliView& v) { request_key_frame(v.media_ssrc); },
                 [&](const rtp::FirView& v) {
                   for (size_t i = 0; i < v.size(); ++i) request_key_frame(v.ssrc(i));
                 },
                 [&](const rtp::RembView& v) { allowed_ = std::max(v.bitrate, kLowestRate); },
                 [&](const rtp::TransportFeedbackView& v) { handle_loss(now, v); }, [](const auto&) {}},
      view);
}

void BotPeer::learn_round_trip(core::Instant now, const rtp::ReportBlocks& blocks) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto b = blocks[i];
    const auto rtt = rtp::round_trip_time(services_.clock.at(now), b.last_sr, b.delay_since_last_sr);
    if (rtt > core::Duration() && rtt < core::Duration::seconds(5)) round_trip_ = rtt;
  }
  for (const auto& slot : slots_) slot->set_round_trip_time(round_trip_);
}

void BotPeer::request_key_frame(uint32_t media_ssrc) {
  ++counters_.key_frame_requests_in;
  for (size_t layer = 0; layer < video_streams_.size(); ++layer) {
    if (video_streams_[layer].ssrc() == media_ssrc) video_->request_key_frame(layer);
  }
}

void BotPeer::resend(core::Instant now, const rtp::NackView& nack) {
  for (OutboundStream& stream : video_streams_) {
    if (stream.ssrc() != nack.media_ssrc || !transport_.can_send()) continue;
    nack.for_each([&](uint16_t number) {
      ++counters_.nacks_in;
      core::Buffer out(kMaxDatagram);
      out.resize(stream.seal_again({now, next_transport_number_, transport_}, number, out));
      if (out.empty()) return;
      ++next_transport_number_;
      ++counters_.repairs_sent;
      send(std::move(out));
    });
  }
}

void BotPeer::handle_loss(core::Instant now, const rtp::TransportFeedbackView& feedback) {
  auto walker = feedback.walk();
  while (const auto status = walker.next()) ++(status->arrival ? feedback_received_ : feedback_lost_);
  if (now - feedback_since_ < kLossInterval) return;
  const double loss = static_cast<double>(feedback_lost_) / std::max(1U, feedback_received_ + feedback_lost_);
  core::Bitrate all;
  for (const VideoLayerShape& layer : config_.layers) all = all + layer.bitrate;
  if (loss > kHighLoss) allowed_ = std::max(kLowestRate, allowed_ * kDecrease);
  if (loss < kLowLoss) allowed_ = std::min(all, allowed_ * kIncrease);
  feedback_since_ = now;
  feedback_received_ = feedback_lost_ = 0;
  if (!video_) return;
  size_t count = 0;
  for (core::Bitrate sum; count < video_->layer_count(); ++count) {
    sum = sum + video_->bitrate_of(count);
    if (count > 0 && sum > allowed_) break;
  }
  video_->set_active_layers(count);
}

// --- time ---

std::optional<core::Instant> BotPeer::deadline() const {
  auto at = transport_.deadline();
  if (!transport_.can_send()) return at;
  at = earlier(at, next_report_);
  at = earlier(at, recorder_->deadline());
  if (audio_ && microphone_on_) at = earlier(at, origin_ + AudioSource::kFrame * next_audio_frame_);
  if (video_ && camera_on_) at = earlier(at, origin_ + kVideoPeriod * next_video_frame_);
  if (!paced_.empty()) at = earlier(at, std::max(paced_.front().release, pace_at_));
  for (const auto& slot : slots_) at = earlier(at, slot->deadline());
  return at;
}

void BotPeer::handle_deadline(core::Instant now) {
  transport_.handle_deadline(now);
  drain_states(now);
  if (!transport_.can_send()) return;
  make_audio(now);
  make_video(now);
  send_paced(now);
  send_repairs_and_requests(now);
  send_transport_feedback(now);
  if (now >= next_report_) {
    next_report_ = now + kReportInterval;
    send_reports(now);
  }
}

void BotPeer::make_audio(core::Instant now) {
  if (!audio_ || !audio_stream_) return;
  const int64_t due = (now - origin_) / AudioSource::kFrame;
  if (!microphone_on_ || due - next_audio_frame_ > kLongestCatchUp / AudioSource::kFrame) {
    next_audio_frame_ = std::max(next_audio_frame_, due + (microphone_on_ ? 0 : 1));
  }
  for (; next_audio_frame_ <= due; ++next_audio_frame_) {
    const core::Duration at = AudioSource::kFrame * next_audio_frame_;
    const uint32_t timestamp = audio_stream_->timestamp_at(origin_ + at);
    auto frame = audio_->make_frame(at, timestamp);
    if (!frame) continue;
    core::Buffer out(kMaxDatagram);
    const Departure departure{now, next_transport_number_, transport_};
    const OutboundPacket packet{.marker = next_audio_frame_ == 0,
                                .timestamp = timestamp,
                                .payload = std::move(frame->payload),
                                .level = frame->level};
    out.resize(audio_stream_->seal(departure, packet, out));
    if (out.empty()) continue;
    ++next_transport_number_;
    send(std::move(out));
  }
}

void BotPeer::make_video(core::Instant now) {
  if (!video_ || !camera_on_) return;
  const int64_t due = (now - origin_) / kVideoPeriod;
  if (due < next_video_frame_) return;
  // One frame a turn: what was missed is not painted afterwards.
  const core::Duration at = kVideoPeriod * due;
  next_video_frame_ = due + 1;
  const std::string clock = clock_text(origin_ + at);
  for (size_t layer = 0; layer < video_->layer_count(); ++layer) {
    if (!video_->is_sent(layer)) continue;
    auto payloads = video_->make_frame(layer, {at, clock});
    const uint32_t timestamp = video_streams_[layer].timestamp_at(origin_ + at);
    for (size_t i = 0; i < payloads.size(); ++i) {
      if (paced_.size() >= kMaxPaced) {
        ++counters_.dropped_out;
        video_->request_key_frame(layer);
        break;
      }
      paced_.push_back(
          {origin_ + at + config_.video_delay,
           layer,
           {.marker = i + 1 == payloads.size(), .timestamp = timestamp, .payload = std::move(payloads[i])}});
    }
  }
  counters_.key_frames_sent = video_->key_frames();
}

void BotPeer::send_paced(core::Instant now) {
  pace_at_ = std::max(pace_at_, now - kPacingBurst);
  while (!paced_.empty() && paced_.front().release <= now && pace_at_ <= now) {
    Paced paced = std::move(paced_.front());
    paced_.pop_front();
    core::Buffer out(kMaxDatagram);
    const Departure departure{now, next_transport_number_, transport_};
    out.resize(video_streams_[paced.layer].seal(departure, std::move(paced.packet), out));
    if (out.empty()) continue;
    ++next_transport_number_;
    pace_at_ +=
        core::Duration::nanos(static_cast<int64_t>(out.size()) * 8 * 1'000'000'000 / kPacingRate.to_bps());
    send(std::move(out));
  }
}

void BotPeer::send_repairs_and_requests(core::Instant now) {
  std::array<uint8_t, kMaxDatagram - srtp::kMaxRtcpOverhead> out;
  rtp::CompoundWriter w(out);
  for (const auto& slot : slots_) {
    std::array<uint16_t, 128> missing;
    const size_t n = slot->poll_nack(now, missing);
    const uint32_t ssrc = slot->config().ssrc;
    if (n != 0 && w.add_nack(own_ssrc_, ssrc, std::span(missing).first(n)) < n) {
      send_rtcp(w.written());
      w = rtp::CompoundWriter(out);
      w.add_nack(own_ssrc_, ssrc, std::span(missing).first(n));
    }
    if (slot->poll_key_frame_request(now) && !w.add_pli(own_ssrc_, ssrc)) {
      send_rtcp(w.written());
      w = rtp::CompoundWriter(out);
      w.add_pli(own_ssrc_, ssrc);
    }
  }
  if (w.size() != 0) send_rtcp(w.written());
}

void BotPeer::send_transport_feedback(core::Instant now) {
  std::array<uint8_t, bwe::TwccRecorder::kMaxFeedbackSize> out;
  while (const size_t n = recorder_->poll_feedback(now, out)) send_rtcp(core::Bytes(out).first(n));
}

void BotPeer::send_reports(core::Instant now) {
  std::array<uint8_t, kMaxDatagram - srtp::kMaxRtcpOverhead> out;
  rtp::CompoundWriter w(out);
  if (audio_stream_ && audio_stream_->has_sent())
    w.add_sender_report(audio_stream_->report(now, services_.clock));
  for (const OutboundStream& stream : video_streams_) {
    if (stream.has_sent()) w.add_sender_report(stream.report(now, services_.clock));
  }
  std::vector<rtp::ReportBlock> blocks;
  for (const auto& slot : slots_) {
    if (slot->has_news() && blocks.size() < rtp::kMaxReportBlocks) blocks.push_back(slot->take_report(now));
  }
  w.add_receiver_report(own_ssrc_, blocks);
  w.add_cname(own_ssrc_, cname_);
  send_rtcp(w.written());
}

// --- out ---

void BotPeer::send_rtcp(core::Bytes packet) {
  if (packet.empty()) return;
  core::Buffer out(packet.size() + srtp::kMaxRtcpOverhead);
  out.resize(transport_.seal_rtcp(packet, out));
  if (!out.empty()) send(std::move(out));
}

void BotPeer::send(core::Buffer datagram) {
  const auto& to = transport_.destination();
  if (!to || transmits_.size() >= kMaxTransmits) {
    ++counters_.dropped_out;
    return;
  }
  ++counters_.packets_out;
  transmits_.push_back({*to, std::move(datagram)});
}

std::optional<core::Transmit> BotPeer::poll_transmit() {
  if (auto control = transport_.poll_transmit()) return control;
  if (transmits_.empty()) return std::nullopt;
  core::Transmit t = std::move(transmits_.front());
  transmits_.pop_front();
  return t;
}

void BotPeer::push(BotEvent event) {
  if (events_.size() < kMaxEvents) events_.push_back(std::move(event));
}

std::optional<BotEvent> BotPeer::poll_event() {
  if (events_.empty()) return std::nullopt;
  BotEvent e = std::move(events_.front());
  events_.pop_front();
  return e;
}

void BotPeer::set_camera(core::Instant now, bool on) {
  if (on && !camera_on_ && video_) {
    next_video_frame_ = (now - origin_) / kVideoPeriod;
    for (size_t layer = 0; layer < video_->layer_count(); ++layer) video_->request_key_frame(layer);
  }
  camera_on_ = on;
}

void BotPeer::set_camera_demand(uint32_t layers) {
  if (video_) video_->set_demand(layers);
}

void BotPeer::close(core::Instant now) {
  std::vector<uint32_t> ssrcs{own_ssrc_};
  if (audio_stream_) ssrcs.push_back(audio_stream_->ssrc());
  for (const OutboundStream& stream : video_streams_) ssrcs.push_back(stream.ssrc());
  std::array<uint8_t, 128> out;
  rtp::CompoundWriter w(out);
  w.add_bye(ssrcs);
  send_rtcp(w.written());
  transport_.close(now);
}

std::string BotPeer::clock_text(core::Instant at) const {
  const auto ntp = services_.clock.at(at) + config_.clock_offset;
  const uint32_t s = ntp.seconds() % 86400;
  char text[16];
  std::snprintf(text, sizeof text, "%02u:%02u:%02u", s / 3600 % 24, s / 60 % 60, s % 60);
  return text;
}

BotSnapshot BotPeer::snapshot() const {
  BotSnapshot s = counters_;
  s.transport = transport_.state();
  s.refused_in += transport_.counters().dropped_in;
  s.active_layers = video_ ? video_->sent_layers() : 0;
  s.round_trip = round_trip_;
  for (const auto& slot : slots_) s.slots.push_back(slot->snapshot());
  return s;
}

}  // namespace huitang::bot
