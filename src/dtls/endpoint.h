// One DTLS 1.2 association for SRTP keys (RFC 6347, RFC 5763, RFC 5764), OpenSSL behind memory buffers.
//
// Fed by the peer with datagrams (first byte 20..63, RFC 7983) from ICE-validated addresses; what it wants
// sent goes to the selected pair. The remote certificate is checked against the signalled fingerprints before
// Connected; there is no other check of it, and application data is not carried (no SCTP): it is counted and
// dropped.
//
// OpenSSL 3.0 as server is helped with fragmented and reordered ClientHellos (client_hello.h). It reads the
// wall clock for its retransmission timer; this class keeps its own deadline (docs/deviations/dtls.md).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/time.h"
#include "crypto/srtp_key.h"
#include "dtls/fingerprint.h"
#include "dtls/identity.h"

namespace huitang::dtls {

class ClientHelloAssembler;
class SslSession;

enum class Role { Server, Client };

/// In order of preference; a server takes the first of its own that the client offers.
inline const std::vector<crypto::SrtpProfile> kDefaultProfiles{crypto::SrtpProfile::AeadAes128Gcm,
                                                               crypto::SrtpProfile::AeadAes256Gcm,
                                                               crypto::SrtpProfile::Aes128CmHmacSha1_80};

struct Config {
  Role role = Role::Server;
  /// Any of them may match.
  std::vector<Fingerprint> remote_fingerprints;
  std::vector<crypto::SrtpProfile> profiles = kDefaultProfiles;
  uint16_t mtu = 1200;  ///< largest datagram sent
  core::Duration handshake_timeout = core::Duration::seconds(30);
};

/// Keys are in place; SRTP may flow. Comes once.
struct Connected {
  crypto::SrtpKeyMaterial inbound;   ///< for the Opener
  crypto::SrtpKeyMaterial outbound;  ///< for the Sealer
};
/// The other side said close_notify, or close() was called.
struct Closed {};
enum class FailureReason {
  WrongFingerprint,  ///< not the certificate that signaling announced
  NoCommonProfile,   ///< use_srtp absent or without a profile of ours
  Timeout,           ///< `handshake_timeout` went by
  Protocol,          ///< an alert or bytes that OpenSSL refused
};
const char* to_string(FailureReason reason);
struct Failed {
  FailureReason reason = FailureReason::Protocol;
  std::string detail;  ///< OpenSSL's words, for the log
};
using Event = std::variant<Connected, Closed, Failed>;

/// New ──start/datagram──▶ Handshaking ──▶ Connected ──▶ Closed
///  └────────────────────────────┴──────────▶ Failed
enum class State { New, Handshaking, Connected, Closed, Failed };

class Endpoint {
 public:
  struct Counters {
    uint64_t datagrams_in = 0, datagrams_out = 0;
    uint64_t retransmissions = 0;   ///< flights sent again by our timer
    uint64_t dropped_in = 0;        ///< not DTLS, or after the end
    uint64_t dropped_out = 0;       ///< transmit queue at its cap
    uint64_t application_data = 0;  ///< records nobody asked for
  };
  struct Snapshot {
    State state = State::New;
    Counters counters;
    std::optional<crypto::SrtpProfile> profile;
    size_t buffered_client_hello = 0;
  };

  /// `identity` outlives the endpoint.
  Endpoint(core::Instant now, const Identity& identity, Config config);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  ~Endpoint();

  /// Client: sends the first flight. Server: nothing.
  void start(core::Instant now);
  void handle_datagram(core::Instant now, core::Bytes datagram);
  void handle_deadline(core::Instant now);
  /// Sends close_notify and ends.
  void close(core::Instant now);

  /// Datagrams for the selected pair, each at most `mtu`.
  std::optional<core::Buffer> poll_transmit();
  std::optional<Event> poll_event();
  std::optional<core::Instant> deadline() const;
  State state() const { return state_; }
  Snapshot snapshot() const;
  bool is_consistent() const;

 private:
  static constexpr size_t kMaxTransmits = 64;  ///< a flight is a handful of datagrams

  void feed(core::Instant now, core::Bytes datagram);
  void finish_handshake();
  /// Moves what OpenSSL wrote to the queue and follows its timer.
  void settle(core::Instant now);
  void enter(State state, Event event);
  void fail(FailureReason reason, std::string detail);

  Config config_;
  std::unique_ptr<SslSession> ssl_;
  std::unique_ptr<ClientHelloAssembler> first_flight_;  ///< server only, until the ClientHello is whole
  State state_ = State::New;
  core::Instant give_up_at_ = core::Instant::far_future();
  std::optional<core::Instant> retransmit_at_;
  std::deque<core::Buffer> transmits_;
  std::deque<Event> events_;
  std::optional<crypto::SrtpProfile> profile_;
  Counters counters_;
};

/// First byte says DTLS (RFC 7983 section 7).
constexpr bool is_dtls(core::Bytes datagram) {
  return !datagram.empty() && datagram[0] >= 20 && datagram[0] <= 63;
}

}  // namespace huitang::dtls
