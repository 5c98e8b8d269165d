// A client's transport without I/O: the offer with a browser's lines, ICE (controlling), DTLS (client), SRTP.
//
// The counterpart of peer::Peer, for bots, load generation, tests and simulations. Says which datagrams to
// send, opens what arrives, seals what is given. What is sent and received on the lines is its user's
// (BotPeer, a load generator).
//
//   ClientTransport t(now, config, services);
//   send t.offer_text() by signaling;  t.handle_answer(now, answer);
//   loop: t.handle_datagram(…); t.handle_deadline(…) when due; while (auto x = t.poll_transmit()) …
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/random.h"
#include "core/result.h"
#include "core/transmit.h"
#include "dtls/endpoint.h"
#include "dtls/identity.h"
#include "ice/full_agent.h"
#include "rtp/extension.h"
#include "rtp/packet.h"
#include "sdp/offer.h"
#include "srtp/backend.h"
#include "srtp/opener.h"
#include "srtp/sealer.h"

namespace huitang::bot {

/// New ──answer──▶ Connecting ──DTLS done──▶ Connected ──consent lost──▶ Disconnected ──restart──▶ Connected
///                     └───────────────────────┴──▶ Failed (final)
enum class TransportState : uint8_t { New, Connecting, Connected, Disconnected, Failed };

class ClientTransport {
 public:
  struct Config {
    std::vector<sdp::OfferedLine> lines = sdp::client_lines({});
    std::vector<sdp::Codec> audio_codecs = {sdp::Codec::Opus};
    std::vector<sdp::Codec> video_codecs = {sdp::Codec::Vp8};
    std::vector<crypto::SrtpProfile> srtp_profiles = dtls::kDefaultProfiles;
    std::string cname;
    /// Checks go here instead of to the node's candidates: a relay of a test.
    std::optional<core::SocketAddress> via;
  };
  /// Outlive the transport; may be shared by many on one thread.
  struct Services {
    const dtls::Identity& identity;
    srtp::Backend& backend;
    core::Random& random;
  };

  struct Rtp {
    rtp::PacketView packet;  ///< clear, inside the datagram given
  };
  struct Rtcp {
    core::Bytes packets;
  };
  using Received = std::variant<std::monostate, Rtp, Rtcp>;

  ClientTransport(core::Instant now, Config config, Services services);
  ClientTransport(const ClientTransport&) = delete;
  ClientTransport& operator=(const ClientTransport&) = delete;

  const std::string& offer_text() const { return offer_text_; }
  const std::vector<sdp::OfferedLine>& lines() const { return config_.lines; }
  /// English reason when the answer does not fit; nothing has changed then.
  core::Result<void, std::string> handle_answer(core::Instant now, std::string_view answer);
  /// New ICE credentials in a new offer_text(); the connection in use goes on until the answer's is better.
  void restart_ice(core::Instant now);

  /// Opened in place.
  Received handle_datagram(core::Instant now, const core::SocketAddress& from, core::MutableBytes datagram);
  void handle_deadline(core::Instant now);
  void close(core::Instant now);
  std::optional<core::Transmit> poll_transmit();
  /// Each new state once.
  std::optional<TransportState> poll_state();
  std::optional<core::Instant> deadline() const;

  TransportState state() const { return state_; }
  bool can_send() const { return state_ == TransportState::Connected && sealer_ != nullptr; }
  /// Where sealed media goes; set while can_send().
  const std::optional<core::SocketAddress>& destination() const { return ice_.destination(); }
  const sdp::Negotiated& negotiated() const { return negotiated_; }
  const rtp::ExtensionIds& extension_ids() const { return extension_ids_; }
  std::optional<crypto::SrtpProfile> srtp_profile() const { return profile_; }
  std::string failure() const { return failure_; }

  /// As srtp::Sealer; 0 while !can_send().
  size_t seal_rtp(uint64_t index, core::Bytes header, core::Bytes payload, core::MutableBytes out);
  size_t seal_rtcp(core::Bytes packet, core::MutableBytes out);

  struct Counters {
    uint64_t rtp_in = 0, rtcp_in = 0;
    uint64_t dropped_in = 0;  ///< unvalidated address, not authentic, malformed, or before the keys
  };
  const Counters& counters() const { return counters_; }

 private:
  static constexpr size_t kMaxStates = 16;
  void make_offer();
  void take_events(core::Instant now);
  void enter(TransportState state);
  void fail(std::string reason);
  Received open_rtp(core::MutableBytes datagram);
  Received open_rtcp(core::MutableBytes datagram);

  Config config_;
  Services services_;
  ice::FullAgent ice_;
  std::unique_ptr<dtls::Endpoint> dtls_;
  std::unique_ptr<srtp::Opener> opener_;
  std::unique_ptr<srtp::Sealer> sealer_;
  std::optional<crypto::SrtpProfile> profile_;
  uint64_t session_id_;
  uint64_t session_version_ = 0;
  sdp::SessionDescription offer_;
  std::string offer_text_;
  sdp::Negotiated negotiated_;
  rtp::ExtensionIds extension_ids_;
  TransportState state_ = TransportState::New;
  std::deque<TransportState> states_;
  std::string failure_;
  Counters counters_;
};

}  // namespace huitang::bot
