// `huitang media`: the media process. Workers, one a core, and the control protocol on a Unix socket.
//
// With --take-over-fd it takes the place of a running one, whose clients notice nothing (worker/hand_over.h).
//
// Closing order: control connections (no new commands), then the workers (each says goodbye to nobody: a
// restart must look like a short cut to clients), then the identity they share.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/command.h"
#include "app/media_watch.h"
#include "app/own_settings.h"
#include "core/address.h"
#include "crypto/system_random.h"
#include "net/clock.h"
#include "net/failure.h"
#include "net/log.h"
#include "net/service_notify.h"
#include "net/signal_set.h"
#include "net/start_record.h"
#include "worker/control_server.h"
#include "worker/hand_over.h"
#include "worker/take_over.h"

namespace huitang::app {

namespace {

struct MediaOptions {
  std::string config;
  std::string socket;
  uint16_t udp_port = 8444;
  std::vector<std::string> public_addresses;
  std::string bind = "0.0.0.0";
  uint32_t workers = 0;
  bool pin = false;
  uint32_t max_peers = 4000;
  uint32_t load_limit = 80;
  std::string log_level = "info";
  std::string log_file;
  int take_over_fd = -1;
};

const std::map<std::string, net::LogLevel> kLevels{{"trace", net::LogLevel::Trace},
                                                   {"debug", net::LogLevel::Debug},
                                                   {"info", net::LogLevel::Info},
                                                   {"warn", net::LogLevel::Warn},
                                                   {"error", net::LogLevel::Error}};

void describe(CLI::App& app, MediaOptions& o) {
  app.add_option("--config", o.config, "serve's TOML file, read for what no other option says");
  app.add_option("--socket", o.socket, "path of the control socket [the file's media.socket]");
  app.add_option("--udp-port", o.udp_port, "first UDP port; worker k listens on this plus k")
      ->capture_default_str();
  app.add_option("--public-address", o.public_addresses,
                 "address under which clients reach this machine; repeatable");
  app.add_option("--bind", o.bind, "local address to listen on")->capture_default_str();
  app.add_option("--workers", o.workers, "worker threads; 0: one for each core")->check(CLI::Range(0, 64));
  app.add_flag("--pin", o.pin, "pin worker k to core k");
  app.add_option("--max-peers", o.max_peers, "clients' connections of one worker")
      ->check(CLI::Range(1, 4000))
      ->capture_default_str();
  app.add_option(
         "--load-limit", o.load_limit,
         "percent of its core at which a worker takes no new clients; from 9/8 of it on it lowers, from "
         "19/16 on it pauses pictures")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--log-level", o.log_level, "trace, debug, info, warn or error")
      ->check(CLI::IsMember(kLevels))
      ->capture_default_str();
  app.add_option("--log-file", o.log_file, "log here instead of to standard error");
  app.add_option("--take-over-fd", o.take_over_fd, "for a running media process that hands over to this one")
      ->group("");
}

/// The process after this one gets a descriptor of its own.
std::vector<std::string> without_take_over(std::vector<std::string> words) {
  const auto at = std::find(words.begin(), words.end(), "--take-over-fd");
  if (at != words.end()) words.erase(at, std::min(at + 2, words.end()));
  return words;
}

/// What the file says, for each option that the command line left out. False after the reason was printed.
bool take_settings(const CLI::App& app, MediaOptions& o) {
  const auto given = [&app](const char* option) { return app.count(option) > 0; };
  if (!o.config.empty()) {
    std::optional<api::Settings> settings = read_settings({.config = o.config}, "media");
    if (!settings) return false;
    complete_settings(*settings);
    if (!given("--socket")) o.socket = settings->media_socket;
    if (!given("--udp-port")) o.udp_port = static_cast<uint16_t>(settings->udp_port);
    if (!given("--workers")) o.workers = settings->media_workers;
    if (!given("--public-address")) o.public_addresses = media_addresses(*settings);
    if (!given("--bind")) o.bind = settings->bind_address;
    if (!given("--max-peers")) o.max_peers = settings->media_peers;
    if (!given("--load-limit")) o.load_limit = settings->load_limit_percent;
    if (!given("--log-level")) o.log_level = settings->log_level;
  }
  if (o.socket.empty()) std::fputs("huitang media: needs --socket or --config\n", stderr);
  return !o.socket.empty();
}

uint32_t default_workers() { return std::max(1u, std::thread::hardware_concurrency()); }

class MediaProcess {
 public:
  /// `words`: the command line, with which a process that takes over from this one is started.
  MediaProcess(const MediaOptions& options, std::vector<std::string> words)
      : options_(options), words_(std::move(words)) {}

  int run() {
    // Before any thread starts, so that all of them leave these signals to the loop.
    const net::SignalSet signals(loop_, {SIGTERM, SIGINT}, [this](int signal) {
      log_.info("ending", {{"signal", signal}});
      loop_.stop();
    });
    if (!parse_addresses() || !begin()) return 1;
    log_.info("media process ready", {{"workers", workers_.size()},
                                      {"first_udp", core::to_string(workers_[0]->addresses()[0])},
                                      {"cipher", workers_[0]->cipher()},
                                      {"receive_buffer", workers_[0]->receive_buffer()}});
    watch_.emplace(loop_, workers_);
    loop_.run();
    hand_over_.reset();
    watch_.reset();
    control_.reset();
    workers_.clear();
    return 0;
  }

 private:
  bool begin() {
    if (options_.take_over_fd < 0) return start_afresh();
    worker::TakeOver take_over{net::UniqueFd(options_.take_over_fd)};
    const auto done = take_over_from(take_over);
    if (done) return true;
    take_over.refuse(done.error());
    return complain("no hand-over: " + done.error());
  }

  bool start_afresh() {
    crypto::SystemRandom random;
    identity_.emplace(dtls::Identity::generate(net::wall_now()));
    node_id_ = crypto::make_token(random);
    clock_at_ = net::monotonic_now();
    clock_ntp_ = rtp::NtpTime::from_wall(net::wall_now());
    return start_workers() && open_control(false);
  }

  core::Result<void, std::string> take_over_from(worker::TakeOver& take_over) {
    auto inherited = take_over.greet(HUITANG_VERSION);
    if (!inherited) return core::err(inherited.error());
    identity_.emplace(std::move(inherited->identity));
    node_id_ = inherited->node_id;
    clock_at_ = inherited->clock_at;
    clock_ntp_ = inherited->clock_ntp;
    previous_ = std::move(inherited->executable);
    for (net::UniqueFd& socket : inherited->sockets)
      if (!adopt_worker(std::move(socket))) return core::err(std::string("a socket cannot be adopted"));
    if (!open_control(true)) return core::err(std::string("no listener for the control protocol"));
    auto rows = take_over.take_state(workers_);
    if (!rows) return core::err(rows.error());
    if (!control_->restore(rows->rows, rows->peers))
      return core::err(std::string("the control server's rows contradict each other"));
    if (!take_over.await_go(rows->peers.size())) return core::err(std::string("the old process goes on"));
    for (const auto& worker : workers_) worker->start();
    if (const auto done = control_->replace_listener(); !done)
      log_.error("control socket not replaced", {{"why", net::to_string(done.error())}});
    log_.info("taken over", {{"peers", rows->peers.size()}});
    net::notify_service("MAINPID=" + std::to_string(::getpid()));
    return {};
  }

  bool parse_addresses() {
    for (const std::string& text : options_.public_addresses) {
      const auto ip = core::parse_ip(text);
      if (!ip) return complain("--public-address " + text + " is no IP address");
      public_ips_.push_back(*ip);
    }
    const auto bind = core::parse_ip(options_.bind);
    if (!bind) return complain("--bind " + options_.bind + " is no IP address");
    bind_ = *bind;
    if (public_ips_.empty()) public_ips_.push_back(core::IpAddress::v4(127, 0, 0, 1));
    return true;
  }

  bool start_workers() {
    const uint32_t count = options_.workers != 0 ? options_.workers : default_workers();
    for (uint32_t i = 0; i < count; ++i) {
      auto worker = worker::WorkerThread::start(worker_config(i), *identity_, worker_events());
      if (!worker) return complain(net::to_string(worker.error()));
      workers_.push_back(std::move(*worker));
    }
    if (workers_[0]->receive_buffer() < kWantedReceiveBuffer)
      log_.warn("small UDP receive buffer; bursts may be lost (raise net.core.rmem_max)",
                {{"bytes", workers_[0]->receive_buffer()}, {"wanted", kWantedReceiveBuffer}});
    return true;
  }

  bool adopt_worker(net::UniqueFd socket) {
    auto worker = worker::WorkerThread::adopt(worker_config(static_cast<uint32_t>(workers_.size())),
                                              std::move(socket), *identity_, worker_events());
    if (!worker) return complain(net::to_string(worker.error()));
    workers_.push_back(std::move(*worker));
    return true;
  }

  worker::WorkerThreadConfig worker_config(uint32_t index) const {
    const auto port = static_cast<uint16_t>(options_.udp_port == 0 ? 0 : options_.udp_port + index);
    return {.index = index,
            .bind = {bind_, port},
            .public_ips = public_ips_,
            .clock = rtp::NtpClock(clock_at_, clock_ntp_),
            .max_peers = options_.max_peers,
            .load = {.limit = options_.load_limit / 100.0},
            .pin_to_core = options_.pin};
  }

  worker::WorkerThread::OnEvent worker_events() {
    return [this](uint32_t, const worker::Event& event) {
      return loop_.try_post([this, event] {
        if (control_) control_->handle_worker_event(event);
      });
    };
  }

  bool open_control(bool takes_over) {
    auto control = worker::ControlServer::open(
        loop_, workers_,
        {.socket_path = options_.socket,
         .build = HUITANG_VERSION,
         .node_id = node_id_,
         .takes_over = takes_over,
         .on_hand_over = [this](const v1::HandOver& wish, auto then) { hand_over(wish, then); }},
        [this] { loop_.call_after(core::Duration::millis(20), [this](core::Instant) { loop_.stop(); }); });
    if (!control) return complain(net::to_string(control.error()));
    control_ = std::move(*control);
    return true;
  }

  void hand_over(const v1::HandOver& wish, const std::function<void(const worker::HandOverOutcome&)>& then) {
    if (hand_over_) return then({.refusal = "another hand-over is under way"});
    if (wish.back() && !previous_) return then({.refusal = "no process was there before this one"});
    worker::HandOverConfig config{.executable = wish.executable(), .arguments = words_};
    if (wish.executable().empty()) config.executable = worker::own_executable();
    // By this process's descriptor, since that of the child is closed before it becomes the executable.
    if (wish.back())
      config.executable = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(previous_.get());
    config.arguments.insert(config.arguments.begin(), "media");
    config.welcome.set_identity_pem(identity_->to_pem());
    config.welcome.set_node_id(node_id_);
    config.welcome.set_clock_at(clock_at_.to_nanos());
    config.welcome.set_clock_ntp(clock_ntp_.bits());
    hand_over_ = std::make_unique<worker::HandOver>(
        loop_, workers_, *control_, std::move(config), [this, then](const worker::HandOverOutcome& outcome) {
          then(outcome);
          if (!outcome.refusal.empty()) return hand_over_.reset();
          net::notify_service("MAINPID=" + std::to_string(outcome.pid));
          if (watch_) watch_->fall_silent();
          log_.info("handed over", {{"pid", outcome.pid},
                                    {"build", outcome.build},
                                    {"peers", outcome.peers},
                                    {"frozen_us", outcome.frozen.to_micros()}});
          control_->leave();
          loop_.stop();
        });
    hand_over_->start();
  }

  bool complain(const std::string& what) {
    std::fprintf(stderr, "huitang media: %s\n", what.c_str());
    return false;
  }

  static constexpr int kWantedReceiveBuffer = 4 << 20;

  MediaOptions options_;
  std::vector<std::string> words_;
  net::Logger log_ = net::root_logger();
  core::IpAddress bind_;
  std::vector<core::IpAddress> public_ips_;
  std::optional<dtls::Identity> identity_;
  std::string node_id_;
  net::UniqueFd previous_;  ///< executable of the process that handed over to this one
  core::Instant clock_at_;  ///< with clock_ntp_: the clock of sender reports, the same through hand-overs
  rtp::NtpTime clock_ntp_;
  net::EventLoop loop_;
  std::vector<std::unique_ptr<worker::WorkerThread>> workers_;
  std::unique_ptr<worker::ControlServer> control_;
  std::optional<MediaWatch> watch_;
  std::unique_ptr<worker::HandOver> hand_over_;
};

}  // namespace

int run_media(std::span<char* const> args) {
  MediaOptions options;
  CLI::App app("the media process: forwards sound and pictures; controlled by `huitang serve`",
               "huitang media");
  describe(app, options);
  std::vector<std::string> words(args.rbegin(), args.rend());
  try {
    app.parse(words);  // empties them
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  // Settings that cannot be read end a start as well, so the pause comes before them.
  if (options.take_over_fd < 0 && !net::await_turn_to_start("media")) return 0;
  if (!take_settings(app, options)) return 2;
  net::configure_log({.level = kLevels.at(options.log_level), .file = options.log_file});
  return MediaProcess(options, without_take_over({args.begin(), args.end()})).run();
}

}  // namespace huitang::app
