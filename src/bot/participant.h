// A bot in a conference, without I/O: speaks signaling (proto/huitang/v1/signaling.proto) as the web client
// does and owns the BotPeer.
//
// A shell opens the WebSocket and says so, carries messages and datagrams, and calls at deadline(). The
// socket may be lost and come back: the session is resumed, media goes on meanwhile. Left out: everything a
// person would click.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bot/bot_peer.h"
#include "huitang/v1/signaling.pb.h"

namespace huitang::bot {

struct ParticipantConfig {
  std::string number;
  std::string invite;
  BotConfig media;               ///< its name is the participant's
  bool watches = false;          ///< shows every other one's camera and share in its slots
  bool ends_conference = false;  ///< when it leaves; needs a chair's invitation
};

/// What happened, for whoever runs the bot.
struct JoinedReport {
  std::string participant_id;
};
struct MediaReport {
  bool is_connected = false;
  std::string detail;
};
struct MarkReport {
  MarkSeen seen;
  std::string name;  ///< of the source's participant, empty when not known (yet)
};
struct ToneReport {
  TonesHeard heard;
  std::string name;
};
struct SourceReport {
  SourceChanged change;
  std::string name;
};
struct RefusedReport {
  v1::RefusalCode code = v1::REFUSAL_CODE_UNSPECIFIED;
  std::string detail;
};
struct LeftReport {
  v1::LeaveReason reason = v1::LEAVE_REASON_UNSPECIFIED;
};
using Report =
    std::variant<JoinedReport, MediaReport, MarkReport, ToneReport, SourceReport, RefusedReport, LeftReport>;

class Participant {
 public:
  static constexpr size_t kMaxReports = 1024;
  static constexpr size_t kMaxMessages = 64;

  Participant(core::Instant now, ParticipantConfig config, const BotServices& services);

  void handle_socket_open(core::Instant now);
  void handle_socket_closed(core::Instant now);
  void handle_message(core::Instant now, const v1::ServerMessage& message);
  void handle_datagram(core::Instant now, const core::SocketAddress& from, core::MutableBytes datagram);
  void handle_deadline(core::Instant now);
  /// Leaves the conference in order; is_done() once the server has answered.
  void leave(core::Instant now);

  std::optional<v1::ClientMessage> poll_message();
  std::optional<core::Transmit> poll_transmit();
  std::optional<Report> poll_report();
  std::optional<core::Instant> deadline() const;

  /// Left, removed, or refused for good.
  bool is_done() const { return phase_ == Phase::Done; }
  const std::string& name() const { return config_.media.name; }
  std::optional<BotSnapshot> snapshot() const;

 private:
  /// Away ──open──▶ Greeting ──Welcome──▶ Offering ──Answer──▶ Joining ──Joined──▶ In ──leave──▶ Leaving ──▶
  /// Done
  ///   ▲──────────────socket closed, from anywhere but Done; Welcome with `resumed` leads back to In────┘
  enum class Phase : uint8_t { Away, Greeting, Offering, Joining, In, Leaving, Done };

  void handle_welcome(core::Instant now, const v1::Welcome& welcome);
  void handle_answer(core::Instant now, const v1::Answer& answer);
  void handle_joined(const v1::Joined& joined);
  void handle_refused(core::Instant now, const v1::Refused& refused);
  void handle_state(const v1::State& state);
  void handle_change(const v1::Change& change);
  void handle_peer_changed(core::Instant now, const v1::PeerChanged& changed);
  void handle_source_demand(const v1::SourceDemand& demand);
  void make_peer(core::Instant now);
  void finish(core::Instant now);
  void send_offer(bool new_peer);
  void send_join();
  void send_view_if_changed();
  void drain_peer(core::Instant now);
  void report(Report report);
  void send(v1::ClientMessage message);
  std::string name_of_source(uint32_t source) const;

  ParticipantConfig config_;
  BotServices services_;
  Phase phase_ = Phase::Away;
  std::unique_ptr<BotPeer> peer_;
  bool is_in_ = false;  ///< Joined has come, and not been taken back
  std::string resume_token_;
  std::string own_id_;
  uint64_t state_number_ = 0;
  std::map<std::string, v1::Participant> participants_;
  std::string last_view_;
  uint32_t next_id_ = 1;
  std::optional<core::Instant> retry_at_;
  std::optional<core::Instant> give_up_at_;  ///< while Leaving
  std::deque<v1::ClientMessage> messages_;
  std::deque<Report> reports_;
};

}  // namespace huitang::bot
