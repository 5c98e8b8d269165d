#include "worker/control_server.h"

#include <sys/resource.h>

#include <algorithm>

#include "worker/control_connection.h"
#include "worker/snapshot.h"
#include "worker/translate.h"

namespace huitang::worker {

namespace {
constexpr core::Duration kHealthInterval = core::Duration::seconds(2);

v1::RefusalCode to_refusal(CommandErrorCode code) {
  switch (code) {
    case CommandErrorCode::BadOffer: return v1::REFUSAL_CODE_BAD_SDP;
    case CommandErrorCode::NoSuchPeer: return v1::REFUSAL_CODE_NOT_FOUND;
    case CommandErrorCode::NoSuchLine: return v1::REFUSAL_CODE_BAD_REQUEST;
    case CommandErrorCode::Full: return v1::REFUSAL_CODE_BOX_FULL;
  }
  return v1::REFUSAL_CODE_INTERNAL;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

core::Result<std::unique_ptr<ControlServer>, core::Failure> ControlServer::open(
    net::EventLoop& loop, std::vector<std::unique_ptr<WorkerThread>>& workers, ControlConfig config,
    std::function<void()> on_shutdown) {
  std::unique_ptr<ControlServer> self(
      new ControlServer(loop, workers, std::move(config), std::move(on_shutdown)));
  const auto listen =
      self->config_.takes_over ? &net::FrameListener::listen_beside : &net::FrameListener::listen;
  auto listener = listen(loop, self->config_.socket_path,
                         [raw = self.get()](net::UniqueFd fd) { raw->accept(std::move(fd)); });
  if (!listener) return core::err(listener.error());
  self->listener_ = std::move(*listener);
  self->health_timer_ =
      loop.call_after(kHealthInterval, [raw = self.get()](core::Instant) { raw->handle_health_timer(); });
  return self;
}

ControlServer::ControlServer(net::EventLoop& loop, std::vector<std::unique_ptr<WorkerThread>>& workers,
                             ControlConfig config, std::function<void()> on_shutdown)
    : loop_(loop),
      workers_(workers),
      config_(std::move(config)),
      on_shutdown_(std::move(on_shutdown)),
      log_(net::root_logger()) {}

ControlServer::~ControlServer() {
  *alive_ = false;
  loop_.cancel(health_timer_);
}

void ControlServer::accept(net::UniqueFd fd) {
  if (connections_.size() >= kMaxConnections) {
    log_.warn("control connection refused: too many", {{"open", connections_.size()}});
    return;
  }
  const uint64_t id = next_connection_++;
  auto connection = std::make_unique<Connection>();
  connection->id = id;
  connection->socket = net::FrameSocket::adopt(
      loop_, std::move(fd),
      {.on_frame = [this, id](core::Bytes frame) { handle_frame(id, frame); },
       .on_close =
           [this, id](net::FrameClose reason) {
             log_.info("control connection closed", {{"connection", id}, {"reason", to_string(reason)}});
             connections_.erase(id);
           }});
  if (is_throttled_) connection->socket->pause();
  connections_.emplace(id, std::move(connection));
}

void ControlServer::handle_frame(uint64_t id, core::Bytes frame) {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;
  v1::MediaMessage message;
  if (!message.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) {
    log_.warn("control message not understood", {{"connection", id}, {"bytes", frame.size()}});
    return reply_error({id, 0}, v1::REFUSAL_CODE_BAD_REQUEST, "the frame is no MediaMessage");
  }
  if (is_holding_)
    held_.emplace_back(id, std::move(message));
  else
    dispatch(*it->second, message);
  throttle();
}

void ControlServer::throttle() {
  const size_t waiting = in_flight_ + held_.size();
  if (is_throttled_ ? waiting > kMaxInFlight / 2 : waiting < kMaxInFlight) return;
  is_throttled_ = !is_throttled_;
  if (is_throttled_) log_.warn("workers do not keep up: no more requests are read", {{"waiting", waiting}});
  for (auto& [id, connection] : connections_)
    is_throttled_ ? connection->socket->pause() : connection->socket->resume();
}

void ControlServer::dispatch(Connection& connection, const v1::MediaMessage& message) {
  const ReplyTo to{connection.id, message.id()};
  if (message.body_case() != v1::MediaMessage::kHello && connection.version == 0)
    return reply_error(to, v1::REFUSAL_CODE_BAD_REQUEST, "the first message must be a hello");
  switch (message.body_case()) {
    case v1::MediaMessage::kHello: return on_hello(connection, message);
    case v1::MediaMessage::kOpenPeer: return on_open_peer(to, message.open_peer());
    case v1::MediaMessage::kClosePeer: return on_close_peer(to, message.close_peer());
    case v1::MediaMessage::kBindSource: return on_bind_source(to, message.bind_source());
    case v1::MediaMessage::kUnbindSource: return on_unbind_source(to, message.unbind_source());
    case v1::MediaMessage::kSetGroup: return on_set_group(to, message.set_group());
    case v1::MediaMessage::kCloseGroup: return on_close_group(to, message.close_group());
    case v1::MediaMessage::kSetPeerView: return on_set_peer_view(to, message.set_peer_view());
    case v1::MediaMessage::kGetSnapshot: return on_get_snapshot(to, message.get_snapshot().detailed());
    case v1::MediaMessage::kGetPeerLog: return on_get_peer_log(to, message.get_peer_log());
    case v1::MediaMessage::kShutdown: return on_shutdown_request(to);
    case v1::MediaMessage::kHandOver: return on_hand_over(connection, to, message.hand_over());
    case v1::MediaMessage::kWelcome:
    case v1::MediaMessage::kDone:
    case v1::MediaMessage::kError:
    case v1::MediaMessage::kPeerOpened:
    case v1::MediaMessage::kSnapshot:
    case v1::MediaMessage::kHandedOver:
    case v1::MediaMessage::kPeerState:
    case v1::MediaMessage::kGroupSpeakers:
    case v1::MediaMessage::kSourceFlow:
    case v1::MediaMessage::kSlotPaused:
    case v1::MediaMessage::kHealth:
    case v1::MediaMessage::kLayerDemand:
    case v1::MediaMessage::kPeerLog:
    case v1::MediaMessage::BODY_NOT_SET:
      return reply_error(to, v1::REFUSAL_CODE_BAD_REQUEST, "this node does not take this message");
  }
}

void ControlServer::on_hello(Connection& connection, const v1::MediaMessage& message) {
  const v1::MediaHello& hello = message.hello();
  const uint32_t version = std::min(hello.version_max(), kVersionMax);
  if (version < std::max(hello.version_min(), kVersionMin) || version == 0)
    return reply_error({connection.id, message.id()}, v1::REFUSAL_CODE_BAD_REQUEST,
                       "no common protocol version: this node speaks " + std::to_string(kVersionMin) +
                           " to " + std::to_string(kVersionMax));
  connection.version = version;
  log_.info("control connection",
            {{"connection", connection.id}, {"build", hello.build()}, {"version", version}});
  v1::MediaMessage out;
  v1::MediaWelcome& welcome = *out.mutable_welcome();
  welcome.set_version(version);
  welcome.set_build(config_.build);
  welcome.set_node_id(config_.node_id);
  welcome.set_workers(static_cast<uint32_t>(workers_.size()));
  for (const auto& worker : workers_)
    for (const core::SocketAddress& address : worker->addresses())
      welcome.add_udp_addresses(core::to_string(address));
  reply({connection.id, message.id()}, std::move(out));
}

template <class Work, class Then>
void ControlServer::on_worker(uint32_t worker, Work work, Then then) {
  ++in_flight_;
  workers_[worker]->post([this, alive = alive_, work = std::move(work), then = std::move(then)](
                             core::Instant now, Worker& w) mutable {
    auto result = work(now, w);
    loop_.post([this, alive, result = std::move(result), then = std::move(then)]() mutable {
      if (!*alive) return;
      then(std::move(result));
      --in_flight_;
      throttle();
      tell_quiet();
    });
  });
}

/// Peers of one group share a worker; new groups (and peers of none) go where the fewest peers are.
uint32_t ControlServer::place(uint64_t group_hint) {
  if (group_hint != 0)
    if (const auto it = groups_.find(group_hint); it != groups_.end()) return it->second.worker;
  std::vector<size_t> load(workers_.size());
  for (const auto& [id, row] : peers_) ++load[row.worker];
  const auto worker = static_cast<uint32_t>(std::min_element(load.begin(), load.end()) - load.begin());
  if (group_hint != 0) groups_[group_hint].worker = worker;
  return worker;
}

void ControlServer::on_open_peer(ReplyTo to, const v1::OpenPeer& request) {
  const uint64_t id = request.peer();
  if (id == 0) return reply_error(to, v1::REFUSAL_CODE_BAD_REQUEST, "peer 0");
  auto lines = lines_from(request.lines());
  if (!lines) return reply_error(to, v1::REFUSAL_CODE_BAD_REQUEST, "a line has no use");
  const auto known = peers_.find(id);
  const uint32_t worker = known != peers_.end() ? known->second.worker : place(request.group_hint());
  PeerRow& row = peers_[id];
  const bool is_new = known == peers_.end();
  row.worker = worker;
  if (is_new && request.group_hint() != 0) {
    row.group_hint = request.group_hint();
    ++groups_[row.group_hint].peers;
  }
  on_worker(
      worker,
      [id, offer = request.offer(), lines = std::move(*lines), member = request.is_member()](
          core::Instant now, Worker& w) {
        return w.open_peer(now, peer::PeerId(id), offer, lines,
                           member ? Admission::Member : Admission::Stranger);
      },
      [this, to, id, worker, is_new, request](core::Result<std::string, CommandError> answer) {
        if (!answer) {
          if (is_new) forget_peer(id);
          return reply_error(to, to_refusal(answer.error().code), answer.error().detail);
        }
        if (const auto it = peers_.find(id); it != peers_.end())
          it->second.lines.assign(request.lines().begin(), request.lines().end());
        v1::MediaMessage out;
        out.mutable_peer_opened()->set_answer(std::move(*answer));
        out.mutable_peer_opened()->set_worker(worker);
        reply(to, std::move(out));
      });
}

void ControlServer::forget_peer(uint64_t peer) {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return;
  if (it->second.group_hint != 0) {
    const auto group = groups_.find(it->second.group_hint);
    if (group != groups_.end() && --group->second.peers == 0 && group->second.last.group() == 0)
      groups_.erase(group);
  }
  peers_.erase(it);
  std::erase_if(sources_, [peer](const auto& row) { return row.second.last.peer() == peer; });
}

void ControlServer::on_close_peer(ReplyTo to, const v1::ClosePeer& request) {
  const uint64_t id = request.peer();
  const auto it = peers_.find(id);
  if (it == peers_.end()) return reply_done(to);  // closing twice is no mistake
  const uint32_t worker = it->second.worker;
  forget_peer(id);
  on_worker(
      worker,
      [id](core::Instant now, Worker& w) {
        w.close_peer(now, peer::PeerId(id));
        return true;
      },
      [this, to](bool) { reply_done(to); });
}

void ControlServer::on_bind_source(ReplyTo to, const v1::BindSource& request) {
  const auto peer = peers_.find(request.peer());
  if (peer == peers_.end()) return reply_error(to, v1::REFUSAL_CODE_NOT_FOUND, "no such peer");
  const auto use = line_use_from(request.use());
  if (!use || request.source() == 0)
    return reply_error(to, v1::REFUSAL_CODE_BAD_REQUEST, "no source number or use");
  const uint32_t worker = peer->second.worker;
  const auto group = groups_.try_emplace(request.group(), Group{.worker = worker}).first;
  if (group->second.worker != worker)
    return reply_error(to, v1::REFUSAL_CODE_CONFLICT, "the peer is on another worker than its group");
  SourceRow& row = sources_[request.source()];
  if (row.last.peer() != request.peer()) row.demand.reset();
  row.worker = worker;
  row.last = request;
  on_worker(
      worker,
      [request, use = *use](core::Instant now, Worker& w) {
        return w.bind_source(now, peer::PeerId(request.peer()), use, sfu::SourceNumber(request.source()),
                             sfu::GroupId(request.group()), request.forwarded());
      },
      [this, to, source = request.source()](core::Result<void, CommandError> done) {
        if (done) return reply_done(to);
        sources_.erase(source);
        reply_error(to, to_refusal(done.error().code), done.error().detail);
      });
}

void ControlServer::on_unbind_source(ReplyTo to, const v1::UnbindSource& request) {
  const auto it = sources_.find(request.source());
  if (it == sources_.end()) return reply_done(to);
  const uint32_t worker = it->second.worker;
  sources_.erase(it);
  on_worker(
      worker,
      [number = request.source()](core::Instant now, Worker& w) {
        w.unbind_source(now, sfu::SourceNumber(number));
        return true;
      },
      [this, to](bool) { reply_done(to); });
}

void ControlServer::on_set_group(ReplyTo to, const v1::SetGroup& request) {
  if (request.group() == 0) return reply_error(to, v1::REFUSAL_CODE_BAD_REQUEST, "group 0");
  for (const uint64_t listener : request.listeners()) {
    const auto peer = peers_.find(listener);
    if (peer == peers_.end()) continue;  // it may have ended on its way here; serve will say so, too
    const auto group = groups_.try_emplace(request.group(), Group{.worker = peer->second.worker}).first;
    if (group->second.worker != peer->second.worker)
      return reply_error(to, v1::REFUSAL_CODE_CONFLICT,
                         "listener " + std::to_string(listener) + " is on another worker than the group");
  }
  Group& group = groups_[request.group()];
  group.last = request;
  on_worker(
      group.worker,
      [config = group_from(request)](core::Instant now, Worker& w) {
        w.set_group(now, config);
        return true;
      },
      [this, to](bool) { reply_done(to); });
}

void ControlServer::on_close_group(ReplyTo to, const v1::CloseGroup& request) {
  const auto it = groups_.find(request.group());
  if (it == groups_.end()) return reply_done(to);
  const uint32_t worker = it->second.worker;
  if (it->second.peers == 0)
    groups_.erase(it);
  else
    it->second.last.Clear();
  on_worker(
      worker,
      [group = request.group()](core::Instant now, Worker& w) {
        w.close_group(now, sfu::GroupId(group));
        return true;
      },
      [this, to](bool) { reply_done(to); });
}

void ControlServer::on_set_peer_view(ReplyTo to, const v1::SetPeerView& request) {
  const auto peer = peers_.find(request.peer());
  if (peer == peers_.end()) return reply_error(to, v1::REFUSAL_CODE_NOT_FOUND, "no such peer");
  auto view = view_from(request);
  if (!view)
    return reply_error(to, v1::REFUSAL_CODE_BAD_REQUEST, "a slot is neither for video nor for a share");
  peer->second.view = request;
  on_worker(
      peer->second.worker,
      [id = request.peer(), view = std::move(*view)](core::Instant now, Worker& w) {
        return w.set_view(now, peer::PeerId(id), view);
      },
      [this, to](core::Result<void, CommandError> done) {
        if (done) return reply_done(to);
        reply_error(to, to_refusal(done.error().code), done.error().detail);
      });
}

void ControlServer::on_get_snapshot(ReplyTo to, bool detailed) {
  auto snapshot = std::make_shared<v1::MediaMessage>();
  v1::Snapshot& body = *snapshot->mutable_snapshot();
  for (const auto& [number, row] : sources_) {
    *body.add_sources() = row.last;
    if (row.demand) *body.add_demands() = *row.demand;
  }
  for (const auto& [id, group] : groups_)
    if (group.last.group() != 0) *body.add_groups() = group.last;
  if (detailed) {
    body.mutable_health()->set_cpu_seconds(cpu_seconds());
    for (size_t i = 0; i < workers_.size(); ++i) body.mutable_health()->add_loads();
  }
  auto missing = std::make_shared<size_t>(workers_.size());
  for (uint32_t i = 0; i < workers_.size(); ++i)
    on_worker(
        i,
        [thread = workers_[i].get(), detailed](core::Instant, Worker& w) {
          return take_snapshot(*thread, w, detailed);
        },
        [this, to, i, snapshot, missing](const WorkerSnapshot& part) {
          add_snapshot(*snapshot->mutable_snapshot(), i, part);
          if (--*missing != 0) return;
          for (v1::SnapshotPeer& peer : *snapshot->mutable_snapshot()->mutable_peers()) {
            const auto row = peers_.find(peer.peer());
            if (row == peers_.end()) continue;
            for (const v1::Line& line : row->second.lines) *peer.add_lines() = line;
            *peer.mutable_view() = row->second.view;
            for (const auto& [slot, paused] : row->second.paused) *peer.add_paused() = paused;
          }
          reply(to, std::move(*snapshot));
        });
}

void ControlServer::on_get_peer_log(ReplyTo to, const v1::GetPeerLog& request) {
  auto out = std::make_shared<v1::MediaMessage>();
  out->mutable_peer_log();
  auto missing = std::make_shared<size_t>(workers_.size());
  for (uint32_t i = 0; i < workers_.size(); ++i)
    on_worker(
        i,
        [id = request.peer()](core::Instant now, Worker& w) {
          return std::pair(now, w.copy_logs(peer::PeerId(id)));
        },
        [this, to, i, out, missing](std::pair<core::Instant, std::vector<PeerLogCopy>> logs) {
          fill_log(*out->mutable_peer_log(), logs.first, i, logs.second);
          if (--*missing == 0) reply(to, std::move(*out));
        });
}

void ControlServer::on_shutdown_request(ReplyTo to) {
  log_.info("shutdown asked for", {{"connection", to.connection}});
  reply_done(to);
  on_shutdown_();
}

void ControlServer::handle_worker_event(const Event& event) {
  if (const auto* load = std::get_if<LoadChanged>(&event)) {
    log_.warn("load level", {{"level", to_string(load->level)}, {"share_of_core", load->share}});
    return send_health();
  }
  const v1::MediaMessage message = event_to(event);
  if (message.has_layer_demand()) {
    const auto row = sources_.find(message.layer_demand().source());
    if (row != sources_.end()) row->second.demand = message.layer_demand();
  }
  if (message.has_slot_paused()) note_paused(message.slot_paused());
  broadcast(message);
}

void ControlServer::note_paused(const v1::SlotPaused& slot) {
  const auto row = peers_.find(slot.peer());
  if (row == peers_.end()) return;
  const std::pair<int, uint32_t> key(slot.use(), slot.index());
  if (slot.source() == 0) {
    row->second.paused.erase(key);
  } else {
    row->second.paused[key] = slot;
  }
}

void ControlServer::reply(ReplyTo to, v1::MediaMessage message) {
  const auto it = connections_.find(to.connection);
  if (it == connections_.end()) return;
  message.set_reply_to(to.request);
  const std::string bytes = message.SerializeAsString();
  it->second->socket->send(core::as_bytes(bytes));
}

void ControlServer::reply_done(ReplyTo to) {
  v1::MediaMessage message;
  message.mutable_done();
  reply(to, std::move(message));
}

void ControlServer::reply_error(ReplyTo to, v1::RefusalCode code, std::string detail) {
  log_.debug("request refused", {{"connection", to.connection}, {"detail", detail}});
  v1::MediaMessage message;
  message.mutable_error()->set_code(code);
  message.mutable_error()->set_detail(std::move(detail));
  reply(to, std::move(message));
}

void ControlServer::broadcast(const v1::MediaMessage& message) {
  const std::string bytes = message.SerializeAsString();
  for (auto& [id, connection] : connections_)
    if (connection->version != 0) connection->socket->send(core::as_bytes(bytes));
}

void ControlServer::handle_health_timer() {
  health_timer_ = loop_.call_after(kHealthInterval, [this](core::Instant) { handle_health_timer(); });
  send_health();
}

/// Figures of all workers in one message: every few seconds, and when a load level changes.
void ControlServer::send_health() {
  if (connections_.empty() || is_throttled_) return;
  auto sum = std::make_shared<v1::MediaMessage>();
  for (size_t i = 0; i < workers_.size(); ++i) sum->mutable_health()->add_loads();
  auto missing = std::make_shared<size_t>(workers_.size());
  for (uint32_t i = 0; i < workers_.size(); ++i)
    on_worker(
        i, [worker = workers_[i].get()](core::Instant, Worker&) { return worker->figures(); },
        [this, i, sum, missing](const WorkerFigures& figures) {
          add_figures(*sum->mutable_health(), i, figures);
          if (--*missing != 0) return;
          sum->mutable_health()->set_cpu_seconds(cpu_seconds());
          broadcast(*sum);
        });
}

}  // namespace huitang::worker
