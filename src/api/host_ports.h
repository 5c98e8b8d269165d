// What the conference host needs of the world, beside sockets (client_sockets.h): a journal and a media node.
// The real ones are store_journal.h and media_client.h; tests and fuzzing put simple ones in their place.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "conference/conference.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::v1 {
class MediaMessage;
class Snapshot;
}  // namespace huitang::v1

namespace huitang::api {

/// Callbacks come later on the same thread, never from within the call, in the order of the calls.
class Journal {
 public:
  using Done = std::function<void(core::Result<void, core::Failure>)>;
  virtual ~Journal() = default;
  virtual void add_conference(const conference::Conference& conference, Done done) = 0;
  virtual void append(const std::string& number, const conference::Change& change, Done done) = 0;
  /// Which of a session's resume tokens is the newest, so that a spent one stays spent after a restart. Nobody
  /// waits for it: it is on disk a moment after the token's socket has spoken.
  virtual void keep_generation(const std::string& session, uint64_t generation) = 0;
  virtual void forget_generation(const std::string& session) = 0;
};

/// Session id → generation, as kept by Journal::keep_generation.
using KeptGenerations = std::map<std::string, uint64_t>;

/// The media process at the other end of the control protocol.
class MediaNode {
 public:
  /// `reply` is null when the node went away before it answered.
  using ReplyHandler = std::function<void(const v1::MediaMessage* reply)>;
  virtual ~MediaNode() = default;
  virtual bool is_ready() const = 0;
  /// Requests reach the node in the order of the calls. Callbacks as with Journal.
  virtual void request(v1::MediaMessage message, ReplyHandler on_reply) = 0;
};

class MediaEvents {
 public:
  virtual ~MediaEvents() = default;
  /// A node answers; `snapshot` is all it holds. Whether it is the one of before shows in what it holds.
  virtual void handle_node_ready(const v1::Snapshot& snapshot) = 0;
  virtual void handle_node_lost() = 0;
  virtual void handle_node_event(const v1::MediaMessage& event) = 0;
};

}  // namespace huitang::api
