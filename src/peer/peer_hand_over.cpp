// A peer's state out and in, for its continuation in another process.
#include <algorithm>

#include "peer/peer.h"

namespace huitang::peer {

bool Peer::has_open_handshake(core::Instant now) const {
  if (state_ == PeerState::Failed || dtls_ == nullptr) return false;
  if (dtls_->state() == dtls::State::Handshaking) return true;
  return opener_ != nullptr && opener_->counters().opened == 0 && now - keys_since_ < kSettleTime;
}

std::optional<PeerHandOver> Peer::export_state() const {
  if (state_ == PeerState::Failed || offers_ == 0) return std::nullopt;
  // Before the client's first flight the association holds nothing: it begins anew in the other process.
  if (opener_ == nullptr && dtls_ != nullptr && dtls_->state() != dtls::State::New) return std::nullopt;
  PeerHandOver s;
  s.id = id_;
  s.state = state_;
  s.reason = reason_;
  s.connect_by = connect_by_;
  s.handshake_by = handshake_by_;
  s.ice = ice_.export_state();
  if (opener_ != nullptr) s.opener = opener_->export_state();
  if (sealer_ != nullptr) s.sealer = sealer_->export_state();
  s.feedback = recorder_.export_state();
  s.sources = sources_;
  s.slots = slots_;
  s.lines = lines_;
  s.extension_ids = extension_ids_;
  s.streams.assign(inbound_.streams().begin(), inbound_.streams().end());
  s.feedback_ssrc = feedback_ssrc_;
  s.cname = cname_;
  s.session_id = session_id_;
  s.offers = offers_;
  s.remote_credentials = remote_credentials_;
  s.remote_fingerprints = remote_fingerprints_;
  s.counters = counters_;
  return s;
}

bool Peer::restore(core::Instant now, PeerHandOver s) {
  if (s.id != id_ || s.offers == 0 || s.state == PeerState::Failed || s.feedback_ssrc == 0) return false;
  if (s.opener.has_value() != s.sealer.has_value() || s.remote_fingerprints.empty()) return false;
  const auto is_sane = [this](const SourceLine& source) {
    return sdp::is_source(source.line.use) && source.rids.size() <= config_.max_simulcast_layers;
  };
  if (!std::ranges::all_of(s.sources, is_sane)) return false;
  if (std::ranges::any_of(s.slots, [](const SlotLine& slot) { return sdp::is_source(slot.line.use); }))
    return false;
  if (!ice_.restore(std::move(s.ice)) || !ice_.has_generation()) return false;
  bwe::TwccRecorder::Config recorder;
  recorder.sender_ssrc = s.feedback_ssrc;
  recorder_ = bwe::TwccRecorder(recorder);
  if (!recorder_.restore(s.feedback)) return false;
  sources_ = std::move(s.sources);
  slots_ = std::move(s.slots);
  lines_ = std::move(s.lines);
  extension_ids_ = s.extension_ids;
  inbound_.configure(sources_, {});
  if (!inbound_.restore(s.streams)) return false;
  feedback_ssrc_ = s.feedback_ssrc;
  cname_ = std::move(s.cname);
  session_id_ = s.session_id;
  offers_ = s.offers;
  remote_credentials_ = std::move(s.remote_credentials);
  remote_fingerprints_ = std::move(s.remote_fingerprints);
  counters_ = s.counters;
  connect_by_ = s.connect_by;
  handshake_by_ = s.handshake_by;
  if (s.opener) {
    opener_ = std::make_unique<srtp::Opener>(services_.backend, *s.opener);
    sealer_ = std::make_unique<srtp::Sealer>(services_.backend, *s.sealer);
  }
  state_ = s.state;
  reason_ = s.reason;
  if (state_ == PeerState::Connecting) start_dtls(now);
  return is_consistent();
}

}  // namespace huitang::peer
