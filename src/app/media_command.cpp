// `huitang media`: the media process. Workers, one a core, and the control protocol on a Unix socket.
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
#include "net/signal_set.h"
#include "worker/control_server.h"

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
  std::string log_level = "info";
  std::string log_file;
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
  app.add_option("--log-level", o.log_level, "trace, debug, info, warn or error")
      ->check(CLI::IsMember(kLevels))
      ->capture_default_str();
  app.add_option("--log-file", o.log_file, "log here instead of to standard error");
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
    if (!given("--log-level")) o.log_level = settings->log_level;
  }
  if (o.socket.empty()) std::fputs("huitang media: needs --socket or --config\n", stderr);
  return !o.socket.empty();
}

uint32_t default_workers() { return std::max(1u, std::thread::hardware_concurrency()); }

class MediaProcess {
 public:
  explicit MediaProcess(const MediaOptions& options)
      : options_(options), identity_(dtls::Identity::generate(net::wall_now())) {}

  int run() {
    // Before any thread starts, so that all of them leave these signals to the loop.
    const net::SignalSet signals(loop_, {SIGTERM, SIGINT}, [this](int signal) {
      log_.info("ending", {{"signal", signal}});
      loop_.stop();
    });
    if (!parse_addresses() || !start_workers() || !open_control()) return 1;
    log_.info("media process ready", {{"workers", workers_.size()},
                                      {"first_udp", core::to_string(workers_[0]->addresses()[0])},
                                      {"cipher", workers_[0]->cipher()},
                                      {"receive_buffer", workers_[0]->receive_buffer()}});
    watch_.emplace(loop_, workers_);
    loop_.run();
    watch_.reset();
    control_.reset();
    workers_.clear();
    return 0;
  }

 private:
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
    const rtp::NtpClock clock(net::monotonic_now(), net::wall_now());
    for (uint32_t i = 0; i < count; ++i) {
      const auto port = static_cast<uint16_t>(options_.udp_port == 0 ? 0 : options_.udp_port + i);
      auto worker = worker::WorkerThread::start({.index = i,
                                                 .bind = {bind_, port},
                                                 .public_ips = public_ips_,
                                                 .clock = clock,
                                                 .pin_to_core = options_.pin},
                                                identity_, [this](uint32_t, worker::Event event) {
                                                  loop_.post([this, event = std::move(event)] {
                                                    if (control_) control_->handle_worker_event(event);
                                                  });
                                                });
      if (!worker) return complain(net::to_string(worker.error()));
      workers_.push_back(std::move(*worker));
    }
    if (workers_[0]->receive_buffer() < kWantedReceiveBuffer)
      log_.warn("small UDP receive buffer; bursts may be lost (raise net.core.rmem_max)",
                {{"bytes", workers_[0]->receive_buffer()}, {"wanted", kWantedReceiveBuffer}});
    return true;
  }

  bool open_control() {
    crypto::SystemRandom random;
    auto control = worker::ControlServer::open(
        loop_, workers_,
        {.socket_path = options_.socket, .build = HUITANG_VERSION, .node_id = crypto::make_token(random)},
        [this] { loop_.call_after(core::Duration::millis(20), [this](core::Instant) { loop_.stop(); }); });
    if (!control) return complain(net::to_string(control.error()));
    control_ = std::move(*control);
    return true;
  }

  bool complain(const std::string& what) {
    std::fprintf(stderr, "huitang media: %s\n", what.c_str());
    return false;
  }

  static constexpr int kWantedReceiveBuffer = 4 << 20;

  MediaOptions options_;
  net::Logger log_ = net::root_logger();
  core::IpAddress bind_;
  std::vector<core::IpAddress> public_ips_;
  dtls::Identity identity_;
  net::EventLoop loop_;
  std::vector<std::unique_ptr<worker::WorkerThread>> workers_;
  std::unique_ptr<worker::ControlServer> control_;
  std::optional<MediaWatch> watch_;
};

}  // namespace

int run_media(std::span<char* const> args) {
  MediaOptions options;
  CLI::App app("the media process: forwards sound and pictures; controlled by `huitang serve`",
               "huitang media");
  describe(app, options);
  std::vector<std::string> words(args.rbegin(), args.rend());
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!take_settings(app, options)) return 2;
  net::configure_log({.level = kLevels.at(options.log_level), .file = options.log_file});
  return MediaProcess(options).run();
}

}  // namespace huitang::app
