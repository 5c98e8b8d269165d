// The thread around a Worker: its socket, its loop, its batches. Everything but post() and the constructor
// runs there.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "core/address.h"
#include "core/error.h"
#include "core/result.h"
#include "crypto/system_random.h"
#include "net/event_loop.h"
#include "net/send_batch.h"
#include "net/udp_socket.h"
#include "worker/worker.h"

namespace huitang::worker {

struct WorkerThreadConfig {
  uint32_t index = 0;
  core::SocketAddress bind;                 ///< where the socket listens
  std::vector<core::IpAddress> public_ips;  ///< what clients are told, with the socket's port
  rtp::NtpClock clock;
  size_t max_peers = 4000;
  LoadConfig load;
  bool pin_to_core = false;  ///< to core `index` of those the process may use
};

/// What the control side may read of a worker, as of one moment.
struct WorkerFigures {
  WorkerCounters counters;
  sfu::ForwarderCounters forwarder;
  net::UdpSocket::Counters socket_in;
  net::SendBatch::Counters socket_out;
  LiveObjects live;
  LoadGovernor::Snapshot load;
  DroppedByPeers dropped_by_peers;
};

class WorkerThread {
 public:
  /// False when it cannot be taken now: the worker keeps it, and those after it, up to Worker::kMaxEvents.
  using OnEvent = std::function<bool(uint32_t worker, const Event& event)>;
  using Command = std::function<void(core::Instant now, Worker& worker)>;

  /// Opens the socket and starts the thread. `on_event` is called on the worker's thread. `identity` outlives
  /// it.
  static core::Result<std::unique_ptr<WorkerThread>, core::Failure> start(const WorkerThreadConfig& config,
                                                                          const dtls::Identity& identity,
                                                                          OnEvent on_event);
  /// With the bound socket of the process before this one, from which nothing is read before start().
  static core::Result<std::unique_ptr<WorkerThread>, core::Failure> adopt(const WorkerThreadConfig& config,
                                                                          net::UniqueFd socket,
                                                                          const dtls::Identity& identity,
                                                                          OnEvent on_event);
  /// Before start(): takes over what the worker of that process was.
  core::Result<void, std::string> restore(core::Instant now, WorkerHandOver state);
  /// Starts the thread of an adopted worker.
  void start();
  /// Stops and joins.
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  /// From any thread; commands of one caller keep their order. None is ever lost, so the caller bounds how many are
  /// under way (ControlServer::kMaxInFlight).
  void post(Command command);

  const std::vector<core::SocketAddress>& addresses() const { return addresses_; }
  int receive_buffer() const { return socket_.receive_buffer(); }
  const char* cipher() const { return backend_->name(); }
  int socket() const { return socket_.fd(); }
  /// On the worker's thread only (inside a Command).
  WorkerFigures figures() const;
  WorkerHandOver export_state(core::Instant now) const;

  /// Ends the turn under way, so that all that is due has left, lets `look` see the worker, and then stands
  /// still: nothing is read, sent or done until thaw() or retire(). `look` runs on the worker's thread.
  void freeze(Command look);
  /// Goes on as if nothing had been.
  void thaw();
  /// Frozen: never does anything again; another process has taken over.
  void retire();

 private:
  class SocketOut;
  WorkerThread(const WorkerThreadConfig& config, net::UdpSocket socket, const dtls::Identity& identity,
               OnEvent on_event);
  void run();
  void end_freeze();
  void receive(core::Instant now);
  std::optional<core::Instant> turn(core::Instant now);
  void hand_out_events();

  WorkerThreadConfig config_;
  OnEvent on_event_;
  net::UdpSocket socket_;
  std::vector<core::SocketAddress> addresses_;
  net::SendBatch batch_;
  std::unique_ptr<SocketOut> out_;
  std::unique_ptr<srtp::Backend> backend_;
  crypto::SystemRandom random_;
  net::EventLoop loop_;
  std::unique_ptr<Worker> worker_;
  std::vector<Datagram> datagrams_;
  std::optional<Event> refused_;  ///< by on_event_; the next to go
  IngressGuard guard_;
  net::UdpSocket::Counters inherited_in_;  ///< of the processes before this one
  net::SendBatch::Counters inherited_out_;
  std::atomic<bool> is_frozen_{false};
  std::atomic<bool> is_retired_{false};
  std::thread thread_;
};

}  // namespace huitang::worker
