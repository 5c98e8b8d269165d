#include "worker/take_over.h"

#include "net/clock.h"
#include "worker/hand_over.h"
#include "worker/hand_over_codec.h"

namespace huitang::worker {

namespace {
/// The old process waits for handshakes meanwhile and has deadlines of its own.
constexpr core::Duration kPatience = core::Duration::seconds(30);
}  // namespace

TakeOver::TakeOver(net::UniqueFd channel) : channel_(std::move(channel), HandOverChannel::kMaxStateFrame) {}

core::Result<Inheritance, std::string> TakeOver::greet(const std::string& build) {
  v1::HandOverMessage hello;
  hello.mutable_hello()->set_version_min(HandOver::kVersionMin);
  hello.mutable_hello()->set_version_max(HandOver::kVersionMax);
  hello.mutable_hello()->set_build(build);
  if (const auto sent = channel_.send(hello, kPatience); !sent) return core::err(sent.error());
  const auto answer = channel_.receive(kPatience);
  if (!answer) return core::err(answer.error());
  if (!answer->has_welcome()) return core::err(std::string("the old process does not welcome"));
  const v1::HandOverWelcome& welcome = answer->welcome();
  auto identity = dtls::Identity::from_pem(welcome.identity_pem());
  if (!identity) return core::err(std::string("the identity is not understood"));
  std::vector<net::UniqueFd> sockets = channel_.take_descriptors();
  net::UniqueFd executable;
  if (sockets.size() == size_t{welcome.workers()} + 1) {
    executable = std::move(sockets.back());
    sockets.pop_back();
  }
  if (welcome.workers() == 0 || sockets.size() != welcome.workers())
    return core::err(std::string("not one socket for each worker"));
  return Inheritance{std::move(*identity),
                     welcome.node_id(),
                     core::Instant::from_nanos(welcome.clock_at()),
                     rtp::NtpTime::from_bits(welcome.clock_ntp()),
                     std::move(sockets),
                     std::move(executable)};
}

core::Result<InheritedRows, std::string> TakeOver::take_state(
    std::vector<std::unique_ptr<WorkerThread>>& workers) {
  v1::HandOverMessage prepared;
  prepared.mutable_prepared();
  if (const auto sent = channel_.send(prepared, kPatience); !sent) return core::err(sent.error());
  InheritedRows out;
  for (size_t i = 0; i < workers.size(); ++i) {
    const auto message = channel_.receive(kPatience);
    if (!message) return core::err(message.error());
    if (!message->has_worker() || message->worker().index() != i)
      return core::err(std::string("not the state of the next worker"));
    auto state = read_worker_state(message->worker());
    if (!state) return core::err(state.error());
    for (const PeerEntryHandOver& entry : state->peers) out.peers.insert(entry.peer.id.value());
    if (const auto done = workers[i]->restore(net::monotonic_now(), std::move(*state)); !done)
      return core::err(done.error());
  }
  auto message = channel_.receive(kPatience);
  if (!message) return core::err(message.error());
  if (!message->has_control()) return core::err(std::string("not the rows of the control server"));
  out.rows = std::move(*message->mutable_control());
  return out;
}

bool TakeOver::await_go(size_t peers) {
  v1::HandOverMessage ready;
  ready.mutable_ready()->set_peers(static_cast<uint32_t>(peers));
  const auto sent = channel_.send(ready, kPatience);
  const auto answer = sent ? channel_.receive(std::nullopt) : channel_.receive(core::Duration());
  // An old process that does not want this one kills it before it closes its end, so a closed end means that it
  // died itself, after it gave everything away.
  return answer ? answer->has_go() : channel_.is_closed();
}

void TakeOver::refuse(const std::string& reason) {
  v1::HandOverMessage message;
  message.mutable_refused()->set_reason(reason);
  [[maybe_unused]] const auto sent = channel_.send(message, core::Duration::seconds(1));
}

}  // namespace huitang::worker
