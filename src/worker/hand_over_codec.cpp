#include "worker/hand_over_codec.h"

#include <algorithm>

#include "worker/codec_util.h"
#include "worker/field_codec.h"
#include "worker/translate.h"

namespace huitang::worker {

namespace {

constexpr size_t kMaxRids = 16;
constexpr size_t kMaxCodecs = 64;

constexpr CounterName<ice::LiteCounters> kIceCounters[] = {
    {"checks", &ice::LiteCounters::checks},
    {"malformed", &ice::LiteCounters::malformed},
    {"ignored", &ice::LiteCounters::ignored},
    {"unknown_user", &ice::LiteCounters::unknown_user},
    {"wrong_integrity", &ice::LiteCounters::wrong_integrity},
    {"errors_sent", &ice::LiteCounters::errors_sent},
    {"dropped_transmits", &ice::LiteCounters::dropped_transmits},
    {"dropped_events", &ice::LiteCounters::dropped_events},
};
constexpr CounterName<srtp::OpenerCounters> kOpenerCounters[] = {
    {"opened", &srtp::OpenerCounters::opened},
    {"truncated", &srtp::OpenerCounters::truncated},
    {"replayed", &srtp::OpenerCounters::replayed},
    {"bad_tag", &srtp::OpenerCounters::bad_tag},
    {"too_many_sources", &srtp::OpenerCounters::too_many_sources},
    {"unencrypted", &srtp::OpenerCounters::unencrypted},
};
constexpr CounterName<bwe::TwccRecorderState> kFeedbackCounters[] = {
    {"packets", &bwe::TwccRecorderState::packets},
    {"duplicates", &bwe::TwccRecorderState::duplicates},
    {"jumps", &bwe::TwccRecorderState::jumps},
    {"feedbacks", &bwe::TwccRecorderState::feedbacks},
};
constexpr CounterName<peer::PeerCounters> kPeerCounters[] = {
    {"packets_in", &peer::PeerCounters::packets_in},
    {"bytes_in", &peer::PeerCounters::bytes_in},
    {"packets_out", &peer::PeerCounters::packets_out},
    {"bytes_out", &peer::PeerCounters::bytes_out},
    {"rtp_in", &peer::PeerCounters::rtp_in},
    {"rtcp_in", &peer::PeerCounters::rtcp_in},
    {"retransmissions_in", &peer::PeerCounters::retransmissions_in},
    {"unvalidated", &peer::PeerCounters::unvalidated},
    {"unclassified", &peer::PeerCounters::unclassified},
    {"early", &peer::PeerCounters::early},
    {"late_dtls", &peer::PeerCounters::late_dtls},
    {"malformed", &peer::PeerCounters::malformed},
    {"not_authentic", &peer::PeerCounters::not_authentic},
    {"unknown_stream", &peer::PeerCounters::unknown_stream},
    {"unknown_codec", &peer::PeerCounters::unknown_codec},
    {"probes_in", &peer::PeerCounters::probes_in},
    {"refused_offers", &peer::PeerCounters::refused_offers},
    {"dropped_events", &peer::PeerCounters::dropped_events},
};
constexpr CounterName<WorkerCounters> kWorkerCounters[] = {
    {"datagrams_in", &WorkerCounters::datagrams_in},     {"unattributed", &WorkerCounters::unattributed},
    {"unbound_media", &WorkerCounters::unbound_media},   {"malformed_rtcp", &WorkerCounters::malformed_rtcp},
    {"slab_exhausted", &WorkerCounters::slab_exhausted}, {"unsealed", &WorkerCounters::unsealed},
    {"packets_sealed", &WorkerCounters::packets_sealed}, {"dropped_events", &WorkerCounters::dropped_events},
};

constexpr CounterName<net::UdpSocket::Counters> kSocketInCounters[] = {
    {"in.receive_calls", &net::UdpSocket::Counters::receive_calls},
    {"in.messages", &net::UdpSocket::Counters::messages_in},
    {"in.datagrams", &net::UdpSocket::Counters::datagrams_in},
    {"in.bytes", &net::UdpSocket::Counters::bytes_in},
    {"in.truncated", &net::UdpSocket::Counters::truncated_in},
    {"in.errors", &net::UdpSocket::Counters::errors_in},
};
constexpr CounterName<net::SendBatch::Counters> kSocketOutCounters[] = {
    {"out.datagrams", &net::SendBatch::Counters::datagrams},
    {"out.bytes", &net::SendBatch::Counters::bytes},
    {"out.runs", &net::SendBatch::Counters::runs},
    {"out.calls", &net::SendBatch::Counters::calls},
    {"out.blocked", &net::SendBatch::Counters::blocked},
    {"out.refused", &net::SendBatch::Counters::refused},
    {"out.gso_fallbacks", &net::SendBatch::Counters::gso_fallbacks},
};

// ---- ice

void write(const ice::LiteAgentState& state, v1::IceState& out) {
  out.set_state(static_cast<uint32_t>(state.state));
  for (const ice::LiteGeneration& generation : state.generations) {
    auto& g = *out.add_generations();
    g.set_ufrag(generation.local.ufrag);
    g.set_password(generation.local.password);
    g.set_remote_ufrag(generation.remote_ufrag);
  }
  for (const ice::LiteAddress& address : state.addresses) {
    auto& a = *out.add_addresses();
    write_address(address.address, *a.mutable_address());
    a.set_last_check(address.last_check.to_nanos());
    a.set_nominated(address.is_nominated);
  }
  if (state.destination) write_address(*state.destination, *out.mutable_destination());
  write_counters(state.counters, kIceCounters, *out.mutable_counters());
}

ice::LiteAgentState read(StateReader& r, const v1::IceState& in) {
  ice::LiteAgentState out;
  out.state = r.number<ice::LiteState>(in.state(), static_cast<uint64_t>(ice::LiteState::Disconnected),
                                       "an unknown state of ICE");
  for (const auto& g : in.generations())
    out.generations.push_back({{g.ufrag(), g.password()}, g.remote_ufrag()});
  for (const auto& a : in.addresses())
    out.addresses.push_back({r.address(a.address()), r.instant(a.last_check()), a.nominated()});
  if (in.has_destination()) out.destination = r.address(in.destination());
  out.counters = read_counters<ice::LiteCounters>(in.counters(), kIceCounters);
  return out;
}

// ---- srtp

void write(const srtp::KeyMaterial& key, v1::SrtpKeyState& out) {
  out.set_profile(static_cast<uint32_t>(key.profile));
  out.mutable_key()->assign(core::as_text(key.key_bytes()));
  out.mutable_salt()->assign(core::as_text(key.salt_bytes()));
}

srtp::KeyMaterial read(StateReader& r, const v1::SrtpKeyState& in) {
  srtp::KeyMaterial out;
  const auto profile = static_cast<crypto::SrtpProfile>(in.profile());
  const bool known = in.profile() <= UINT16_MAX && (profile == crypto::SrtpProfile::Aes128CmHmacSha1_80 ||
                                                    profile == crypto::SrtpProfile::AeadAes128Gcm ||
                                                    profile == crypto::SrtpProfile::AeadAes256Gcm);
  if (!r.expect(known, "an unknown SRTP profile")) return out;
  out.profile = profile;
  if (!r.expect(in.key().size() == crypto::srtp_key_size(profile) &&
                    in.salt().size() == crypto::srtp_salt_size(profile),
                "a key of wrong size"))
    return out;
  std::copy(in.key().begin(), in.key().end(), out.key.begin());
  std::copy(in.salt().begin(), in.salt().end(), out.salt.begin());
  return out;
}

void write(const std::vector<srtp::OpenerState::Window>& windows,
           google::protobuf::RepeatedPtrField<v1::OpenerState::Window>& out) {
  for (const srtp::OpenerState::Window& window : windows) {
    auto& w = *out.Add();
    w.set_ssrc(window.ssrc);
    w.set_highest(window.highest);
    w.mutable_seen()->Assign(window.seen.begin(), window.seen.end());
  }
}

std::vector<srtp::OpenerState::Window> read(
    StateReader& r, const google::protobuf::RepeatedPtrField<v1::OpenerState::Window>& in) {
  std::vector<srtp::OpenerState::Window> out;
  for (const auto& w : in) {
    r.expect(w.highest() < uint64_t{1} << 48, "an SRTP index out of range");
    out.push_back({w.ssrc(), w.highest(), {w.seen().begin(), w.seen().end()}});
  }
  return out;
}

void write(const srtp::OpenerState& state, v1::OpenerState& out) {
  write(state.key, *out.mutable_key());
  write(state.rtp, *out.mutable_rtp());
  write(state.rtcp, *out.mutable_rtcp());
  write_counters(state.counters, kOpenerCounters, *out.mutable_counters());
}

srtp::OpenerState read(StateReader& r, const v1::OpenerState& in) {
  return {read(r, in.key()), read(r, in.rtp()), read(r, in.rtcp()),
          read_counters<srtp::OpenerCounters>(in.counters(), kOpenerCounters)};
}

// ---- statistics

void write(const bwe::TwccRecorderState& s, v1::TwccState& out) {
  out.set_started(s.started);
  out.set_last_number(s.last_number);
  out.set_begin(s.begin);
  out.set_end(s.end);
  out.set_base(s.base);
  out.mutable_arrivals()->Assign(s.arrivals.begin(), s.arrivals.end());
  out.set_has_news(s.has_news);
  out.set_flushing(s.flushing);
  out.set_first_news(s.first_news.to_nanos());
  out.set_last_sent(s.last_sent.to_nanos());
  out.set_bytes_since_sent(s.bytes_since_sent);
  out.set_rate(s.rate.to_bps());
  out.set_media_ssrc(s.media_ssrc);
  out.set_feedback_count(s.feedback_count);
  write_counters(s, kFeedbackCounters, *out.mutable_counters());
}

bwe::TwccRecorderState read(StateReader& r, const v1::TwccState& in) {
  auto out = read_counters<bwe::TwccRecorderState>(in.counters(), kFeedbackCounters);
  out.started = in.started();
  out.last_number = in.last_number();
  out.begin = in.begin();
  out.end = in.end();
  out.base = in.base();
  for (const int64_t arrival : in.arrivals()) out.arrivals.push_back(r.instant(arrival).to_nanos());
  out.has_news = in.has_news();
  out.flushing = in.flushing();
  out.first_news = r.instant(in.first_news());
  out.last_sent = r.instant(in.last_sent());
  out.bytes_since_sent = r.number<uint64_t>(in.bytes_since_sent(), INT64_MAX, "a byte count out of range");
  r.expect(in.rate() >= 0, "a negative rate");
  out.rate = core::Bitrate::bps(in.rate());
  out.media_ssrc = in.media_ssrc();
  out.feedback_count = static_cast<uint8_t>(in.feedback_count());
  return out;
}

void write(const rtp::ReceiveStatisticsState& s, v1::ReceiveStatisticsState& out) {
  out.set_clock_rate(s.clock_rate);
  out.set_started(s.started);
  out.set_highest(s.highest);
  out.set_cycles(s.cycles);
  out.set_base(s.base);
  out.set_bad_next(s.bad_next);
  out.set_received(s.received);
  out.set_expected_prior(s.expected_prior);
  out.set_received_prior(s.received_prior);
  out.set_packets(s.packets);
  out.set_bytes(s.bytes);
  out.set_late(s.late);
  out.set_restarts(s.restarts);
  out.set_has_transit(s.has_transit);
  out.set_last_transit(s.last_transit);
  out.set_last_timestamp(s.last_timestamp);
  out.set_jitter_q4(s.jitter_q4);
  out.set_last_sr(s.last_sr);
  out.set_last_sr_at(s.last_sr_at.to_nanos());
}

rtp::ReceiveStatisticsState read(StateReader& r, uint32_t ssrc, const v1::ReceiveStatisticsState& in) {
  rtp::ReceiveStatisticsState s;
  s.ssrc = ssrc;
  s.clock_rate = in.clock_rate();
  s.started = in.started();
  s.highest = r.number<uint16_t>(in.highest(), UINT16_MAX, "a sequence number out of range");
  s.cycles = in.cycles();
  s.base = in.base();
  s.bad_next = in.bad_next();
  // Counts of packets: far below what would overflow the sums made of them.
  s.received = r.number<uint64_t>(in.received(), uint64_t{1} << 48, "a packet count out of range");
  r.expect(std::abs(in.expected_prior() / 2) < int64_t{1} << 48, "a packet count out of range");
  s.expected_prior = in.expected_prior();
  s.received_prior =
      r.number<uint64_t>(in.received_prior(), uint64_t{1} << 48, "a packet count out of range");
  s.packets = in.packets();
  s.bytes = in.bytes();
  s.late = in.late();
  s.restarts = in.restarts();
  s.has_transit = in.has_transit();
  s.last_transit = in.last_transit();
  s.last_timestamp = in.last_timestamp();
  s.jitter_q4 = in.jitter_q4();
  s.last_sr = in.last_sr();
  s.last_sr_at = r.instant(in.last_sr_at());
  r.expect(rtp::ReceiveStatistics(s).is_consistent(), "receive statistics contradict themselves");
  return s;
}

// ---- lines

void write(const peer::Line& line, v1::Line& out) {
  out.set_mid(line.mid);
  out.set_use(static_cast<v1::LineUse>(line.use));  // same numbers, sdp/offer.h
  out.set_index(line.index);
}

peer::Line read(StateReader& r, const v1::Line& in) {
  const auto use = line_use_from(in.use());
  r.expect(use.has_value(), "a line of unknown use");
  return {in.mid(), use.value_or(peer::LineUse::Microphone), in.index()};
}

void write(const std::vector<sdp::NegotiatedCodec>& codecs,
           google::protobuf::RepeatedPtrField<v1::CodecState>& out) {
  for (const sdp::NegotiatedCodec& codec : codecs) {
    v1::CodecState& c = *out.Add();
    c.set_payload_type(codec.payload_type);
    c.set_codec(static_cast<uint32_t>(codec.codec));
    c.set_clock_rate(codec.clock_rate);
    if (codec.rtx_payload_type) c.set_rtx_payload_type(*codec.rtx_payload_type);
    if (codec.red_inner) c.set_red_inner(*codec.red_inner);
    c.set_nack(codec.nack);
    c.set_pli(codec.pli);
    c.set_fir(codec.fir);
    c.set_transport_cc(codec.transport_cc);
    c.set_fmtp(codec.fmtp);
  }
}

std::vector<sdp::NegotiatedCodec> read(StateReader& r,
                                       const google::protobuf::RepeatedPtrField<v1::CodecState>& in) {
  std::vector<sdp::NegotiatedCodec> out;
  if (!r.expect(in.size() <= static_cast<int>(kMaxCodecs), "too many codecs on one line")) return out;
  for (const v1::CodecState& c : in) {
    sdp::NegotiatedCodec& codec = out.emplace_back();
    codec.payload_type = r.number<uint8_t>(c.payload_type(), 127, "a payload type out of range");
    codec.codec =
        r.number<sdp::Codec>(c.codec(), static_cast<uint64_t>(sdp::Codec::H264), "an unknown codec");
    codec.clock_rate = c.clock_rate();
    if (c.has_rtx_payload_type())
      codec.rtx_payload_type = r.number<uint8_t>(c.rtx_payload_type(), 127, "a payload type out of range");
    if (c.has_red_inner())
      codec.red_inner = r.number<uint8_t>(c.red_inner(), 127, "a payload type out of range");
    codec.nack = c.nack();
    codec.pli = c.pli();
    codec.fir = c.fir();
    codec.transport_cc = c.transport_cc();
    codec.fmtp = c.fmtp();
  }
  return out;
}

// ---- peers

void write_lines(const peer::PeerHandOver& peer, v1::PeerEntryState& out) {
  for (const peer::SourceLine& source : peer.sources) {
    v1::SourceLineState& s = *out.add_sources();
    write(source.line, *s.mutable_line());
    s.set_rejected(source.is_rejected);
    write(source.codecs, *s.mutable_codecs());
    for (const std::string& rid : source.rids) s.add_rids(rid);
  }
  for (const peer::SlotLine& slot : peer.slots) {
    v1::SlotLineState& s = *out.add_slots();
    write(slot.line, *s.mutable_line());
    s.set_rejected(slot.is_rejected);
    s.set_ssrc(slot.ssrc);
    s.set_rtx_ssrc(slot.rtx_ssrc);
    write(slot.codecs, *s.mutable_codecs());
  }
  for (const peer::Line& line : peer.lines) write(line, *out.add_lines());
  for (size_t i = 0; i < rtp::kExtensionKinds; ++i)
    out.mutable_extension_ids()->push_back(
        static_cast<char>(peer.extension_ids.of(static_cast<rtp::ExtensionKind>(i))));
  for (const peer::InboundStream& stream : peer.streams) {
    v1::InboundStreamState& s = *out.add_streams();
    s.set_ssrc(stream.ssrc);
    s.set_source(stream.source);
    s.set_layer(stream.layer);
    s.set_rtx(stream.is_rtx);
  }
}

void read_lines(StateReader& r, const v1::PeerEntryState& in, peer::PeerHandOver& out) {
  for (const v1::SourceLineState& s : in.sources()) {
    r.expect(s.rids_size() <= static_cast<int>(kMaxRids), "too many layers on one line");
    out.sources.push_back(
        {read(r, s.line()), s.rejected(), read(r, s.codecs()), {s.rids().begin(), s.rids().end()}});
  }
  for (const v1::SlotLineState& s : in.slots())
    out.slots.push_back({read(r, s.line()), s.rejected(), s.ssrc(), s.rtx_ssrc(), read(r, s.codecs())});
  for (const v1::Line& line : in.lines()) out.lines.push_back(read(r, line));
  // An extension that only a newer version knows has no place here and is not needed.
  for (size_t i = 0; i < std::min(in.extension_ids().size(), rtp::kExtensionKinds); ++i)
    out.extension_ids.of(static_cast<rtp::ExtensionKind>(i)) = static_cast<uint8_t>(in.extension_ids()[i]);
  for (const v1::InboundStreamState& s : in.streams())
    out.streams.push_back({s.ssrc(), r.number<uint16_t>(s.source(), UINT16_MAX, "a line out of range"),
                           r.number<uint8_t>(s.layer(), UINT8_MAX, "a layer out of range"), s.rtx()});
}

void write(const peer::PeerHandOver& peer, v1::PeerEntryState& out) {
  out.set_peer(peer.id.value());
  out.set_state(static_cast<uint32_t>(peer.state));
  out.set_reason(static_cast<uint32_t>(peer.reason));
  out.set_connect_by(peer.connect_by.to_nanos());
  out.set_handshake_by(peer.handshake_by.to_nanos());
  write(peer.ice, *out.mutable_ice());
  if (peer.opener) write(*peer.opener, *out.mutable_opener());
  if (peer.sealer) {
    write(peer.sealer->key, *out.mutable_sealer()->mutable_key());
    out.mutable_sealer()->set_next_rtcp_index(peer.sealer->next_rtcp_index);
  }
  write(peer.feedback, *out.mutable_feedback());
  write_lines(peer, out);
  out.set_feedback_ssrc(peer.feedback_ssrc);
  out.set_cname(peer.cname);
  out.set_session_id(peer.session_id);
  out.set_offers(peer.offers);
  out.set_remote_ufrag(peer.remote_credentials.ufrag);
  out.set_remote_password(peer.remote_credentials.password);
  for (const dtls::Fingerprint& f : peer.remote_fingerprints) out.add_remote_fingerprints(to_string(f));
  write_counters(peer.counters, kPeerCounters, *out.mutable_counters());
}

peer::PeerHandOver read_peer(StateReader& r, const v1::PeerEntryState& in) {
  peer::PeerHandOver out;
  out.id = peer::PeerId(in.peer());
  out.state = r.number<peer::PeerState>(in.state(), static_cast<uint64_t>(peer::PeerState::Failed),
                                        "an unknown state of a peer");
  out.reason = r.number<peer::StateReason>(
      in.reason(), static_cast<uint64_t>(peer::StateReason::ClosedByNode), "an unknown reason");
  out.connect_by = r.instant(in.connect_by());
  out.handshake_by = r.instant(in.handshake_by());
  out.ice = read(r, in.ice());
  if (in.has_opener()) out.opener = read(r, in.opener());
  if (in.has_sealer())
    out.sealer = srtp::SealerState{read(r, in.sealer().key()), in.sealer().next_rtcp_index()};
  out.feedback = read(r, in.feedback());
  read_lines(r, in, out);
  out.feedback_ssrc = in.feedback_ssrc();
  out.cname = in.cname();
  out.session_id = in.session_id();
  out.offers = in.offers();
  out.remote_credentials = {in.remote_ufrag(), in.remote_password()};
  for (const std::string& text : in.remote_fingerprints()) {
    auto fingerprint = dtls::parse_fingerprint(text);
    if (r.expect(fingerprint.has_value(), "a fingerprint not understood"))
      out.remote_fingerprints.push_back(std::move(*fingerprint));
  }
  out.counters = read_counters<peer::PeerCounters>(in.counters(), kPeerCounters);
  return out;
}

void write(const PeerEntryHandOver& entry, v1::PeerEntryState& out) {
  write(entry.peer, out);
  for (const PeerEntryHandOver::Line& line : entry.lines) {
    v1::InboundLineState& l = *out.add_inbound();
    l.set_source_number(line.source.value());
    for (const PeerEntryHandOver::Layer& layer : line.layers) {
      v1::InboundLayerState& s = *l.add_layers();
      s.set_ssrc(layer.ssrc);
      if (layer.statistics) write(*layer.statistics, *s.mutable_statistics());
    }
  }
  write_ip(entry.local, *out.mutable_local_ip());
  out.set_transport_number(entry.transport_number);
  if (entry.round_trip) out.set_round_trip(entry.round_trip->to_nanos());
  out.set_next_report(entry.next_report.to_nanos());
}

PeerEntryHandOver read(StateReader& r, const v1::PeerEntryState& in) {
  PeerEntryHandOver out;
  out.peer = read_peer(r, in);
  for (const v1::InboundLineState& l : in.inbound()) {
    PeerEntryHandOver::Line& line = out.lines.emplace_back();
    line.source = sfu::SourceNumber(l.source_number());
    if (!r.expect(l.layers_size() <= static_cast<int>(line.layers.size()), "too many layers")) continue;
    for (int i = 0; i < l.layers_size(); ++i) {
      PeerEntryHandOver::Layer& layer = line.layers[static_cast<size_t>(i)];
      layer.ssrc = l.layers(i).ssrc();
      if (l.layers(i).has_statistics()) layer.statistics = read(r, layer.ssrc, l.layers(i).statistics());
    }
  }
  out.local = r.ip(in.local_ip());
  out.transport_number = r.number<uint16_t>(in.transport_number(), UINT16_MAX, "a number out of range");
  if (in.has_round_trip()) out.round_trip = r.duration(in.round_trip());
  out.next_report = r.instant(in.next_report());
  return out;
}

}  // namespace

void write_worker_state(const WorkerHandOver& state, v1::WorkerState& out) {
  for (const PeerEntryHandOver& entry : state.peers) write(entry, *out.add_peers());
  out.set_forwarder(write_fields(state.forwarder));
  write_counters(state.counters, kWorkerCounters, *out.mutable_counters());
  write_counters(state.socket_in, kSocketInCounters, *out.mutable_counters());
  write_counters(state.socket_out, kSocketOutCounters, *out.mutable_counters());
}

core::Result<WorkerHandOver, std::string> read_worker_state(const v1::WorkerState& in) {
  StateReader r;
  WorkerHandOver out;
  for (const v1::PeerEntryState& entry : in.peers()) {
    out.peers.push_back(read(r, entry));
    if (r.failed()) return core::err("peer " + std::to_string(entry.peer()) + ": " + r.complaint());
  }
  if (!read_fields(core::as_bytes(in.forwarder()), out.forwarder))
    return core::err(std::string("the forwarder's state is not understood"));
  out.counters = read_counters<WorkerCounters>(in.counters(), kWorkerCounters);
  out.socket_in = read_counters<net::UdpSocket::Counters>(in.counters(), kSocketInCounters);
  out.socket_out = read_counters<net::SendBatch::Counters>(in.counters(), kSocketOutCounters);
  return out;
}

}  // namespace huitang::worker
