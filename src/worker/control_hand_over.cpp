// The control server and hand-over: requests that wait, its rows as a message, the change of the listener.
#include <utility>

#include "worker/control_connection.h"
#include "worker/control_server.h"

namespace huitang::worker {

void ControlServer::on_hand_over(const Connection& connection, ReplyTo to, const v1::HandOver& request) {
  if (connection.version < kHandOverSince || !config_.on_hand_over)
    return reply_error(to, v1::REFUSAL_CODE_BAD_REQUEST, "no hand-over on this connection");
  if (!request.executable().empty() && request.executable().front() != '/')
    return reply_error(to, v1::REFUSAL_CODE_BAD_REQUEST, "the executable's path is not absolute");
  log_.info("hand-over asked for", {{"connection", to.connection}, {"executable", request.executable()}});
  config_.on_hand_over(request, [this, to](const HandOverOutcome& outcome) {
    if (!outcome.refusal.empty()) return reply_error(to, v1::REFUSAL_CODE_CONFLICT, outcome.refusal);
    v1::MediaMessage message;
    v1::HandedOver& done = *message.mutable_handed_over();
    done.set_pid(outcome.pid);
    done.set_build(outcome.build);
    done.set_peers(outcome.peers);
    done.set_frozen_micros(static_cast<uint64_t>(outcome.frozen.to_micros()));
    reply(to, std::move(message));
  });
}

void ControlServer::hold(std::function<void()> when_quiet) {
  is_holding_ = true;
  when_quiet_ = std::move(when_quiet);
  tell_quiet();
}

void ControlServer::tell_quiet() {
  if (!when_quiet_ || in_flight_ != 0) return;
  loop_.post([this, alive = alive_] {
    if (*alive && when_quiet_) std::exchange(when_quiet_, nullptr)();
  });
}

void ControlServer::go_on() {
  is_holding_ = false;
  when_quiet_ = nullptr;
  for (const auto& [connection, message] : std::exchange(held_, {}))
    if (const auto it = connections_.find(connection); it != connections_.end())
      dispatch(*it->second, message);
  throttle();
}

v1::ControlState ControlServer::export_state() const {
  v1::ControlState out;
  for (const auto& [id, row] : peers_) {
    v1::ControlState::Peer& peer = *out.add_peers();
    peer.set_peer(id);
    peer.set_worker(row.worker);
    peer.set_group_hint(row.group_hint);
    for (const v1::Line& line : row.lines) *peer.add_lines() = line;
    *peer.mutable_view() = row.view;
  }
  for (const auto& [id, row] : groups_) {
    v1::ControlState::Group& group = *out.add_groups();
    group.set_group(id);
    group.set_worker(row.worker);
    group.set_peers(static_cast<uint32_t>(row.peers));
    *group.mutable_last() = row.last;
  }
  for (const auto& [number, row] : sources_) {
    v1::ControlState::Source& source = *out.add_sources();
    source.set_worker(row.worker);
    *source.mutable_last() = row.last;
  }
  return out;
}

bool ControlServer::restore(const v1::ControlState& state, const std::unordered_set<uint64_t>& alive) {
  const auto exists = [this](uint32_t worker) { return worker < workers_.size(); };
  for (const v1::ControlState::Peer& peer : state.peers()) {
    if (!exists(peer.worker())) return false;
    peers_[peer.peer()] = {
        peer.worker(), peer.group_hint(), {peer.lines().begin(), peer.lines().end()}, peer.view()};
  }
  for (const v1::ControlState::Group& group : state.groups()) {
    if (!exists(group.worker())) return false;
    groups_[group.group()] = {group.worker(), group.peers(), group.last()};
  }
  for (const v1::ControlState::Source& source : state.sources()) {
    if (!exists(source.worker())) return false;
    sources_[source.last().source()] = {source.worker(), source.last()};
  }
  for (const v1::ControlState::Peer& peer : state.peers())
    if (!alive.contains(peer.peer())) forget_peer(peer.peer());
  return true;
}

core::Result<void, core::Failure> ControlServer::replace_listener() { return listener_->replace(); }

void ControlServer::leave() {
  listener_->leave_file();
  listener_.reset();
  for (auto& [id, connection] : connections_) connection->socket->close();
  connections_.clear();
}

}  // namespace huitang::worker
