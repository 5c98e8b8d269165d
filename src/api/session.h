// A session: one person's or bot's standing with this box, from the first Hello until 60 s after the last
// socket was lost. It owns a media peer from the join page on, and at most one place in one conference.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "api/client_sockets.h"
#include "api/media_plan.h"
#include "conference/types.h"
#include "core/time.h"

namespace huitang::api {

/// Random, unguessable, known to its client; doubles as conference::SessionKey.
using SessionId = std::string;

enum class PeerLife : uint8_t {
  None,     ///< no offer yet, or the node lost it
  Opening,  ///< the offer is with the node
  Open,     ///< answered; media may or may not flow
};

/// Why a session is no longer in a conference, for a client that could not be told or has not heard it.
struct Farewell {
  std::string conference;
  v1::LeaveReason reason = v1::LEAVE_REASON_UNSPECIFIED;
};

/// The source of each slot that is without its picture for want of bandwidth, by use and index.
using PausedSlots = std::map<std::pair<v1::LineUse, uint32_t>, uint32_t>;

struct Session {
  SessionId id;
  PeerId peer;
  /// Of the newest resume token; older ones are spent. Absent after a restart, until one has come back.
  std::optional<uint64_t> generation;
  /// Of the token that the newest one was given for. It is good once more until the newest one's socket has
  /// spoken: the Welcome may have been lost on its way.
  std::optional<uint64_t> replaced_generation;
  /// After a restart: what the store had of it, at most a few milliseconds behind.
  uint64_t kept_generation = 0;
  std::optional<SocketId> socket;
  core::Instant lost_at;  ///< meaningful without a socket

  PeerLife peer_life = PeerLife::None;
  uint32_t offers = 0;  ///< counts what the peer was asked to be; an answer to an older offer is stale
  bool peer_connected = false;
  std::optional<uint32_t> worker;  ///< of the node, that its peer is on; absent before one was opened

  std::string conference;  ///< number; empty before a join was asked for
  conference::ParticipantId participant;
  bool joining = false;  ///< the join is with the journal
  std::optional<Farewell> farewell;
  std::optional<View>
      view;  ///< absent: nothing asked yet (or forgotten by a restart: the node keeps what it shows)
  std::map<v1::SourceKind, uint32_t> demands;  ///< layers of own pictures that the node wants, as told last

  std::optional<PausedSlots> paused;  ///< of its peer; absent: the node never told of any

  bool is_in() const { return participant != conference::ParticipantId(); }
};

}  // namespace huitang::api
