#include "worker/worker_thread.h"

#include <pthread.h>
#include <sched.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "net/clock.h"

namespace huitang::worker {

namespace {

/// Reads until the socket is empty, but gives sealing and sending a turn after this many calls.
constexpr int kReceivesPerTurn = 4;
/// The same when the socket holds a backlog whose pictures are left aside: more than 16 MB of buffer can hold
/// (7,000 datagrams), so that one turn takes it whole.
constexpr int kReceivesToCatchUp = 256;

/// The n-th core of those this process may run on; wraps around.
void pin_this_thread(uint32_t n) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  const int count = CPU_COUNT(&allowed);
  int skip = static_cast<int>(n) % std::max(count, 1);
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || skip-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one);
    return;
  }
}

net::UdpSocket::Counters sum(net::UdpSocket::Counters a, const net::UdpSocket::Counters& b) {
  a.receive_calls += b.receive_calls;
  a.messages_in += b.messages_in;
  a.datagrams_in += b.datagrams_in;
  a.bytes_in += b.bytes_in;
  a.truncated_in += b.truncated_in;
  a.errors_in += b.errors_in;
  a.overflow_in += b.overflow_in;  // the kernel's own total of the socket, so it is not handed over
  return a;
}

net::SendBatch::Counters sum(net::SendBatch::Counters a, const net::SendBatch::Counters& b) {
  a.datagrams += b.datagrams;
  a.bytes += b.bytes;
  a.runs += b.runs;
  a.calls += b.calls;
  a.blocked += b.blocked;
  a.refused += b.refused;
  a.gso_fallbacks += b.gso_fallbacks;
  return a;
}

/// For tests: a fault of this name is planted in this process. Never true in a release build.
bool has_planted_fault([[maybe_unused]] const char* name) {
#ifdef HUITANG_DCHECKS
  const char* fault = std::getenv("HUITANG_FAULT");
  return fault != nullptr && std::strcmp(fault, name) == 0;
#else
  return false;
#endif
}

}  // namespace

class WorkerThread::SocketOut final : public PacketOut {
 public:
  explicit SocketOut(net::SendBatch& batch) : batch_(batch) {}
  core::MutableBytes slot(const core::SocketAddress& to, const core::IpAddress& local) override {
    return batch_.slot(to, local);
  }
  void commit(size_t size) override { batch_.commit(size); }
  void flush() override { batch_.flush(); }

 private:
  net::SendBatch& batch_;
};

core::Result<std::unique_ptr<WorkerThread>, core::Failure> WorkerThread::start(
    const WorkerThreadConfig& config, const dtls::Identity& identity, OnEvent on_event) {
  auto socket = net::UdpSocket::open(config.bind);
  if (!socket) return core::err(socket.error());
  std::unique_ptr<WorkerThread> self(
      new WorkerThread(config, std::move(*socket), identity, std::move(on_event)));
  self->start();
  return self;
}

core::Result<std::unique_ptr<WorkerThread>, core::Failure> WorkerThread::adopt(
    const WorkerThreadConfig& config, net::UniqueFd fd, const dtls::Identity& identity, OnEvent on_event) {
  auto socket = net::UdpSocket::adopt(std::move(fd));
  if (!socket) return core::err(socket.error());
  return std::unique_ptr<WorkerThread>(
      new WorkerThread(config, std::move(*socket), identity, std::move(on_event)));
}

core::Result<void, std::string> WorkerThread::restore(core::Instant now, WorkerHandOver state) {
  inherited_in_ = state.socket_in;
  inherited_out_ = state.socket_out;
  return worker_->restore(now, std::move(state));
}

void WorkerThread::start() {
  thread_ = std::thread([this] { run(); });
}

WorkerThread::WorkerThread(const WorkerThreadConfig& config, net::UdpSocket socket,
                           const dtls::Identity& identity, OnEvent on_event)
    : config_(config),
      on_event_(std::move(on_event)),
      socket_(std::move(socket)),
      batch_(socket_),
      out_(std::make_unique<SocketOut>(batch_)),
      backend_(srtp::make_best_backend()) {
  for (const core::IpAddress& ip : config_.public_ips) addresses_.push_back({ip, socket_.local().port});
  worker_ = std::make_unique<Worker>(net::monotonic_now(),
                                     WorkerConfig{.addresses = addresses_,
                                                  .clock = config_.clock,
                                                  .max_peers = config_.max_peers,
                                                  .load = config_.load},
                                     identity, *backend_, random_, *out_);
}

WorkerThread::~WorkerThread() {
  loop_.stop();
  if (is_frozen_) retire();
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::post(Command command) {
  loop_.post([this, command = std::move(command)] {
    if (!is_retired_) command(loop_.now(), *worker_);
  });
}

void WorkerThread::freeze(Command look) {
  is_frozen_ = true;
  post([this, look = std::move(look)](core::Instant now, Worker& worker) {
    turn(now);
    look(now, worker);
    is_frozen_.wait(true);
  });
}

void WorkerThread::thaw() { end_freeze(); }

void WorkerThread::retire() {
  is_retired_ = true;
  end_freeze();
}

void WorkerThread::end_freeze() {
  is_frozen_ = false;
  is_frozen_.notify_all();
}

void WorkerThread::run() {
  ::pthread_setname_np(::pthread_self(), ("worker " + std::to_string(config_.index)).c_str());
  if (config_.pin_to_core) pin_this_thread(config_.index);
  if (!has_planted_fault("deaf"))
    loop_.watch(socket_.fd(), {}, [this](core::Instant now, net::Readiness) { receive(now); });
  loop_.set_turn_handler([this](core::Instant now) { return turn(now); });
  loop_.run();
  loop_.unwatch(socket_.fd());
}

void WorkerThread::receive(core::Instant now) {
  if (is_retired_) return;
  const Ingress mode = guard_.mode(now);
  bool is_empty = false;
  for (int i = mode == Ingress::Full ? kReceivesPerTurn : kReceivesToCatchUp; i > 0 && !is_empty; --i) {
    const auto received = socket_.receive();
    datagrams_.clear();
    for (const net::ReceivedDatagram& d : received) datagrams_.push_back({d.from, d.to, d.bytes});
    worker_->handle_datagrams(now, datagrams_, mode);
    is_empty = received.empty();
  }
  guard_.handle_read(now, is_empty);
}

std::optional<core::Instant> WorkerThread::turn(core::Instant now) {
  if (is_retired_) return std::nullopt;
  const auto next = worker_->handle_turn(now);
  if (now >= worker_->load_deadline()) {
    const uint64_t lost = socket_.counters().overflow_in + batch_.counters().blocked;
    worker_->handle_load(now, {.cpu = net::thread_cpu_time(), .lost = lost});
  }
  hand_out_events();
  // Whatever wakes it up is soon enough otherwise.
  if (worker_->load().level == LoadLevel::Normal && !refused_) return next;
  return next ? std::min(*next, worker_->load_deadline()) : worker_->load_deadline();
}

void WorkerThread::hand_out_events() {
  if (!refused_) refused_ = worker_->poll_event();
  while (refused_ && on_event_(config_.index, *refused_)) refused_ = worker_->poll_event();
}

WorkerFigures WorkerThread::figures() const {
  return {worker_->counters(),
          worker_->forwarder().counters(),
          sum(inherited_in_, socket_.counters()),
          sum(inherited_out_, batch_.counters()),
          worker_->live(),
          worker_->load(),
          worker_->dropped_by_peers()};
}

WorkerHandOver WorkerThread::export_state(core::Instant now) const {
  WorkerHandOver state = worker_->export_state(now);
  state.socket_in = sum(inherited_in_, socket_.counters());
  state.socket_out = sum(inherited_out_, batch_.counters());
  return state;
}

}  // namespace huitang::worker
