// The control side of a media process: the media control protocol (proto/media.proto) on a Unix socket, and
// which worker each peer and group lives on.
//
// Several connections may be open at once (serve, an administrator's tool); events go to each that has said
// hello. Requests are answered in the order their workers finish them. What serve last said of sources,
// groups and views is kept, so that a restarted serve can compare (GetSnapshot).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "huitang/v1/handover.pb.h"
#include "huitang/v1/media.pb.h"
#include "net/event_loop.h"
#include "net/frame_socket.h"
#include "net/log.h"
#include "worker/worker_thread.h"

namespace huitang::worker {

/// What became of a wish for a hand-over.
struct HandOverOutcome {
  std::string refusal;  ///< empty: it was done
  uint32_t pid = 0;
  std::string build;
  uint32_t peers = 0;
  core::Duration frozen;
};

struct ControlConfig {
  std::string socket_path;
  std::string build;    ///< version text
  std::string node_id;  ///< new for each process, kept through a hand-over
  /// Another process is listening at the path: connections reach this one after replace_listener().
  bool takes_over = false;
  /// A client asked for a hand-over. Absent: refused.
  std::function<void(const v1::HandOver& wish, std::function<void(const HandOverOutcome&)> then)>
      on_hand_over;
};

class ControlServer {
 public:
  static constexpr uint32_t kVersionMin = 1;
  static constexpr uint32_t kVersionMax = 2;
  static constexpr uint32_t kHandOverSince = 2;
  static constexpr size_t kMaxConnections = 8;
  /// Requests at workers, or held during a hand-over. A request may not be lost (one of them mutes somebody), so no more
  /// is read until half of these are done: then they wait with serve, which gives up a node that is silent for long.
  static constexpr size_t kMaxInFlight = 4096;

  /// Workers and loop outlive it. `on_shutdown` is called on the loop when a client asked for the end.
  static core::Result<std::unique_ptr<ControlServer>, core::Failure> open(
      net::EventLoop& loop, std::vector<std::unique_ptr<WorkerThread>>& workers, ControlConfig config,
      std::function<void()> on_shutdown);
  ~ControlServer();

  /// A request to several workers counts for each.
  size_t in_flight() const { return in_flight_; }

  /// On the loop's thread: an event of a worker, passed on to every client.
  void handle_worker_event(const Event& event);

  // Hand-over. The process that gives: hold, then export_state, then leave or go_on.
  /// Requests wait from now on; `when_quiet` is called on the loop once all earlier ones have been answered.
  void hold(std::function<void()> when_quiet);
  /// Takes up what waited.
  void go_on();
  v1::ControlState export_state() const;
  /// The path and its clients are another process's now: what is written leaves, then connections close.
  void leave();
  // The process that takes: restore, then replace_listener.
  /// Rows of peers that are not among `alive` are left out. False when the rows contradict each other.
  bool restore(const v1::ControlState& state, const std::unordered_set<uint64_t>& alive);
  core::Result<void, core::Failure> replace_listener();

 private:
  struct Connection;
  /// Where an answer goes: the connection may be gone by then.
  struct ReplyTo {
    uint64_t connection;
    uint64_t request;
  };
  struct Group {
    uint32_t worker = 0;
    size_t peers = 0;
    v1::SetGroup last;
  };
  struct PeerRow {
    uint32_t worker = 0;
    uint64_t group_hint = 0;
    std::vector<v1::Line> lines;
    v1::SetPeerView view;
    std::map<std::pair<int, uint32_t>, v1::SlotPaused> paused = {};  ///< by use and index
  };
  struct SourceRow {
    uint32_t worker = 0;
    v1::BindSource last;
    std::optional<v1::LayerDemand> demand = {};  ///< the last event
  };

  ControlServer(net::EventLoop& loop, std::vector<std::unique_ptr<WorkerThread>>& workers,
                ControlConfig config, std::function<void()> on_shutdown);

  void accept(net::UniqueFd fd);
  void handle_frame(uint64_t connection, core::Bytes frame);
  void dispatch(Connection& connection, const v1::MediaMessage& message);

  // One for each request of the protocol.
  void on_hello(Connection& connection, const v1::MediaMessage& message);
  void on_open_peer(ReplyTo to, const v1::OpenPeer& request);
  void on_close_peer(ReplyTo to, const v1::ClosePeer& request);
  void on_bind_source(ReplyTo to, const v1::BindSource& request);
  void on_unbind_source(ReplyTo to, const v1::UnbindSource& request);
  void on_set_group(ReplyTo to, const v1::SetGroup& request);
  void on_close_group(ReplyTo to, const v1::CloseGroup& request);
  void on_set_peer_view(ReplyTo to, const v1::SetPeerView& request);
  void on_get_snapshot(ReplyTo to, bool detailed);
  void on_get_peer_log(ReplyTo to, const v1::GetPeerLog& request);
  void on_shutdown_request(ReplyTo to);
  void on_hand_over(const Connection& connection, ReplyTo to, const v1::HandOver& request);

  void reply(ReplyTo to, v1::MediaMessage message);
  void reply_done(ReplyTo to);
  void reply_error(ReplyTo to, v1::RefusalCode code, std::string detail);
  void broadcast(const v1::MediaMessage& message);
  uint32_t place(uint64_t group_hint);
  void forget_peer(uint64_t peer);
  void note_paused(const v1::SlotPaused& slot);
  void send_health();
  void handle_health_timer();
  /// Runs `work` on a worker and, with its result, `then` on this loop (unless this object is gone by then).
  template <class Work, class Then>
  void on_worker(uint32_t worker, Work work, Then then);
  void tell_quiet();
  void throttle();

  net::EventLoop& loop_;
  std::vector<std::unique_ptr<WorkerThread>>& workers_;
  ControlConfig config_;
  std::function<void()> on_shutdown_;
  std::unique_ptr<net::FrameListener> listener_;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  uint64_t next_connection_ = 1;
  std::unordered_map<uint64_t, PeerRow> peers_;
  std::unordered_map<uint64_t, Group> groups_;
  std::unordered_map<uint32_t, SourceRow> sources_;
  size_t in_flight_ = 0;       ///< requests at workers
  bool is_throttled_ = false;  ///< nothing is read
  bool is_holding_ = false;
  std::function<void()> when_quiet_;
  std::vector<std::pair<uint64_t, v1::MediaMessage>> held_;  ///< by connection
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  net::TimerId health_timer_;
  net::Logger log_;
};

}  // namespace huitang::worker
