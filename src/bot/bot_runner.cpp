#include "bot/bot_runner.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

#include "bot/report_json.h"
#include "crypto/system_random.h"
#include "net/clock.h"
#include "net/udp_socket.h"

namespace huitang::bot {

namespace asio = boost::asio;

namespace {

constexpr core::Duration kFirstRetry = core::Duration::millis(500);
constexpr core::Duration kLongestRetry = core::Duration::seconds(10);
constexpr core::Duration kStatisticsInterval = core::Duration::seconds(5);

std::chrono::nanoseconds to_chrono(core::Duration d) {
  return std::chrono::nanoseconds(std::max<int64_t>(d.to_nanos(), 0));
}

/// Small buffers: a process may run hundreds of them.
core::Result<net::UdpSocket, core::Failure> open_socket() {
  const net::UdpSocketOptions options{
      .receive_buffer = 1 << 20, .send_buffer = 1 << 20, .gro = false, .gso = false};
  auto both = net::UdpSocket::open({core::IpAddress{}, 0}, options);  // "::", which takes IPv4 too
  if (both) return both;
  return net::UdpSocket::open({core::IpAddress::v4(0, 0, 0, 0), 0}, options);
}

/// One bot with its sockets and its timer.
class Runner {
 public:
  Runner(asio::io_context& context, const BotRunConfig& run, const ParticipantConfig& config,
         const BotServices& services, net::UdpSocket socket)
      : context_(context),
        run_(run),
        random_(services.transport.random),
        participant_(net::monotonic_now(), config, services),
        socket_(std::move(socket)),
        readable_(context, socket_.fd()),
        timer_(context),
        retry_timer_(context) {}
  ~Runner() { readable_.release(); }  // the descriptor belongs to socket_

  void start(core::Duration after) {
    receive();
    connect_after(after);
  }
  void leave() {
    participant_.leave(net::monotonic_now());
    turn();
  }
  bool is_done() const { return is_finished_; }
  bool has_joined() const { return has_joined_; }
  void print_statistics() const {
    const auto snapshot = participant_.snapshot();
    if (snapshot) std::puts(snapshot_to_json(net::monotonic_now(), participant_.name(), *snapshot).c_str());
  }

 private:
  void connect_after(core::Duration wait) {
    retry_timer_.expires_after(to_chrono(wait));
    retry_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error && !is_finished_) connect();
    });
  }

  void connect() {
    signaling_ = std::make_unique<SignalingSocket>(
        context_, run_.url, run_.trust,
        SignalingSocket::Handlers{.on_open =
                                      [this] {
                                        retry_ = kFirstRetry;
                                        away_since_.reset();
                                        participant_.handle_socket_open(net::monotonic_now());
                                        turn();
                                      },
                                  .on_message =
                                      [this](const v1::ServerMessage& message) {
                                        participant_.handle_message(net::monotonic_now(), message);
                                        turn();
                                      },
                                  .on_closed = [this](const std::string& reason) { handle_closed(reason); }});
  }

  void handle_closed(const std::string& reason) {
    participant_.handle_socket_closed(net::monotonic_now());
    std::fprintf(stderr, "bot %s: signaling %s\n", participant_.name().c_str(), reason.c_str());
    turn();
    if (is_finished_) return;
    const core::Instant now = net::monotonic_now();
    if (!away_since_) away_since_ = now;
    if (now - *away_since_ >= run_.give_up) return finish();
    // Full jitter keeps a crowd of bots from coming back at one moment.
    connect_after(core::Duration::nanos(
        static_cast<int64_t>(static_cast<double>(retry_.to_nanos()) * (0.5 + random_.below(1000) / 2000.0))));
    retry_ = std::min(retry_ * 2, kLongestRetry);
  }

  void receive() {
    readable_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& error) {
                           if (error || is_finished_) return;
                           const core::Instant now = net::monotonic_now();
                           for (const net::ReceivedDatagram& d : socket_.receive())
                             participant_.handle_datagram(now, d.from, d.bytes);
                           turn();
                           receive();
                         });
  }

  void turn() {
    while (const auto message = participant_.poll_message()) {
      if (signaling_) signaling_->send(*message);
    }
    while (const auto transmit = participant_.poll_transmit()) socket_.send(transmit->to, transmit->bytes);
    while (const auto report = participant_.poll_report()) print(*report);
    if (participant_.is_done()) return finish();
    arm();
  }

  void print(const Report& report) {
    has_joined_ = has_joined_ || std::holds_alternative<JoinedReport>(report);
    if (!run_.prints_json) {
      if (const auto* refused = std::get_if<RefusedReport>(&report)) {
        std::fprintf(stderr, "bot %s: refused: %s %s\n", participant_.name().c_str(),
                     v1::RefusalCode_Name(refused->code).c_str(), refused->detail.c_str());
      }
      return;
    }
    std::puts(report_to_json(net::monotonic_now(), participant_.name(), report).c_str());
    std::fflush(stdout);
  }

  void arm() {
    const auto at = participant_.deadline();
    if (!at) return;
    timer_.expires_after(to_chrono(*at - net::monotonic_now()));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || is_finished_) return;
      participant_.handle_deadline(net::monotonic_now());
      turn();
    });
  }

  void finish() {
    if (is_finished_) return;
    is_finished_ = true;
    timer_.cancel();
    retry_timer_.cancel();
    readable_.cancel();
    if (signaling_) signaling_->close();
  }

  asio::io_context& context_;
  const BotRunConfig& run_;
  core::Random& random_;
  Participant participant_;
  net::UdpSocket socket_;
  asio::posix::stream_descriptor readable_;
  asio::steady_timer timer_;
  asio::steady_timer retry_timer_;
  std::unique_ptr<SignalingSocket> signaling_;
  core::Duration retry_ = kFirstRetry;
  std::optional<core::Instant> away_since_;
  bool has_joined_ = false;
  bool is_finished_ = false;
};

/// All bots of the process and what ends them.
class Crowd {
 public:
  explicit Crowd(const BotRunConfig& config)
      : config_(config),
        identity_(dtls::Identity::generate(net::wall_now())),
        backend_(srtp::make_best_backend()),
        signals_(context_, SIGTERM, SIGINT),
        end_timer_(context_),
        statistics_timer_(context_) {}

  int run() {
    std::signal(SIGPIPE, SIG_IGN);
    const BotServices services{{identity_, *backend_, random_}, {net::monotonic_now(), net::wall_now()}};
    core::Duration after;
    for (const ParticipantConfig& bot : config_.bots) {
      auto socket = open_socket();
      if (!socket) {
        std::fprintf(stderr, "bot: %s: %s\n", socket.error().context.c_str(),
                     socket.error().code.message().c_str());
        return 1;
      }
      runners_.push_back(std::make_unique<Runner>(context_, config_, bot, services, *std::move(socket)));
      runners_.back()->start(after);
      after += config_.join_interval;
    }
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) leave();
    });
    if (config_.duration != core::Duration::max()) {
      end_timer_.expires_after(to_chrono(config_.duration));
      end_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) leave();
      });
    }
    if (config_.prints_json) print_statistics();
    while (!all([](const Runner& r) { return r.is_done(); }) && context_.run_one() != 0) {
    }
    context_.run_for(std::chrono::milliseconds(200));  // goodbyes on their way
    if (config_.prints_json) {
      for (const auto& r : runners_) r->print_statistics();
    }
    return all([](const Runner& r) { return r.has_joined(); }) ? 0 : 1;
  }

 private:
  template <class Predicate>
  bool all(Predicate p) const {
    return std::all_of(runners_.begin(), runners_.end(), [&](const auto& r) { return p(*r); });
  }

  void leave() {
    end_timer_.cancel();
    statistics_timer_.cancel();
    for (const auto& r : runners_) r->leave();
  }

  void print_statistics() {
    statistics_timer_.expires_after(to_chrono(kStatisticsInterval));
    statistics_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      for (const auto& r : runners_) r->print_statistics();
      std::fflush(stdout);
      print_statistics();
    });
  }

  const BotRunConfig& config_;
  crypto::SystemRandom random_;
  dtls::Identity identity_;
  std::unique_ptr<srtp::Backend> backend_;
  asio::io_context context_{1};
  asio::signal_set signals_;
  asio::steady_timer end_timer_;
  asio::steady_timer statistics_timer_;
  std::vector<std::unique_ptr<Runner>> runners_;
};

}  // namespace

std::optional<ConferenceLink> parse_conference_link(std::string_view link) {
  constexpr std::string_view scheme = "https://";
  constexpr std::string_view path = "/j/";
  constexpr std::string_view invite = "#invite=";
  if (!link.starts_with(scheme)) return std::nullopt;
  link.remove_prefix(scheme.size());
  const size_t slash = link.find('/');
  if (slash == std::string_view::npos || !link.substr(slash).starts_with(path)) return std::nullopt;
  ConferenceLink out;
  const std::string_view authority = link.substr(0, slash);
  std::string_view number = link.substr(slash + path.size());
  if (const size_t at = number.find(invite); at != std::string_view::npos) {
    out.invite = number.substr(at + invite.size());
    number = number.substr(0, at);
  }
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  out.url.host = authority.substr(0, has_port ? colon : std::string_view::npos);
  if (has_port) out.url.port = authority.substr(colon + 1);
  if (out.url.host.starts_with('[') && out.url.host.ends_with(']')) {
    out.url.host = out.url.host.substr(1, out.url.host.size() - 2);
  }
  out.number = number;
  if (out.url.host.empty() || out.number.empty()) return std::nullopt;
  return out;
}

int run_bots(const BotRunConfig& config) { return Crowd(config).run(); }

}  // namespace huitang::bot
