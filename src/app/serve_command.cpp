// `huitang serve`: the control plane of one box. Reads settings, holds the folder's lock, runs the server,
// and looks after its children: the media process (detached) and, with --demo, three bots.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "api/child_process.h"
#include "api/file_util.h"
#include "api/server.h"
#include "api/settings.h"
#include "app/command.h"
#include "app/keeper.h"
#include "app/media_service.h"
#include "app/own_settings.h"
#include "app/serve_watch.h"
#include "net/clock.h"
#include "net/log.h"
#include "net/start_record.h"

namespace huitang::app {
namespace {

using core::Duration;
using core::Instant;

struct Flags {
  BoxFlags box;
  bool demo = false;
  bool no_spawn_media = false;
};

int parse_flags(std::span<char* const> args, Flags& flags) {
  CLI::App app("Pages, signaling and conferences of one box; media runs in its own process.",
               "huitang serve");
  declare(app, flags.box);
  app.add_flag("--demo", flags.demo, "anyone may start a conference, and one with three bots is running");
  app.add_flag("--no-spawn-media", flags.no_spawn_media, "the media process is a service of its own");
  std::vector<std::string> words(args.rbegin(), args.rend());
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? -1 : 2;
  }
  return 0;
}

/// Absent after the reason was printed.
std::optional<api::Settings> settle(const Flags& flags) {
  std::optional<api::Settings> settings = read_settings(flags.box, "serve");
  if (!settings) return std::nullopt;
  settings->demo = settings->demo || flags.demo;
  if (flags.no_spawn_media) settings->spawn_media = false;
  complete_settings(*settings);
  return settings;
}

net::LogLevel to_level(const std::string& name) {
  if (name == "error") return net::LogLevel::Error;
  if (name == "warn") return net::LogLevel::Warn;
  if (name == "debug") return net::LogLevel::Debug;
  if (name == "trace") return net::LogLevel::Trace;
  return net::LogLevel::Info;
}

class Serve {
 public:
  explicit Serve(api::Settings settings)
      : settings_(std::move(settings)),
        timer_(loop_),
        media_settled_(loop_),
        signals_(loop_, {SIGTERM, SIGINT, SIGCHLD}, [this](int signal) { handle_signal(signal); }),
        media_("media", media_config()),
        server_(loop_, server_config()),
        media_service_(server_.metrics()),
        watch_(loop_, server_, [this] { check_media_service(); }) {}

  int run() {
    loop_.post([this] {
      server_.start(
          [this](core::Result<api::ServerReady, core::Failure> ready) { handle_started(std::move(ready)); });
    });
    loop_.run();
    return exit_code_;
  }

 private:
  api::ChildConfig media_config() const {
    api::ChildConfig config;
    config.arguments = {"media",
                        "--socket",
                        settings_.media_socket,
                        "--udp-port",
                        std::to_string(settings_.udp_port),
                        "--log-level",
                        settings_.log_level,
                        "--max-peers",
                        std::to_string(settings_.media_peers),
                        "--load-limit",
                        std::to_string(settings_.load_limit_percent)};
    for (const std::string& address : media_addresses(settings_))
      config.arguments.insert(config.arguments.end(), {"--public-address", address});
    if (settings_.media_workers > 0)
      config.arguments.insert(config.arguments.end(), {"--workers", std::to_string(settings_.media_workers)});
    config.detached = true;
    config.log_file = settings_.data + "/media.log";
    return config;
  }

  api::ServerConfig server_config() {
    api::ServerConfig config;
    config.settings = settings_;
    config.version = HUITANG_VERSION;
    config.pages = api::PageTable::embedded();
    if (!settings_.spawn_media) {
      config.media_trouble = [this] { return media_service_.trouble(); };
      return config;
    }
    config.on_no_media = [this] { keep_media(); };
    config.on_silent_media = [this](pid_t process) { end_silent_media(process); };
    config.media_trouble = [this] { return media_trouble(); };
    return config;
  }

  void keep_media() {
    if (stopping_ || !media_.keep(net::monotonic_now())) return;
    server_.metrics().add(api::Metric::MediaStarts);
    media_settled_.set(net::monotonic_now() + Keeper::kLived, [this] {
      if (!media_.is_running()) return;
      media_.forgive();
      server_.metrics().set(api::Metric::MediaCrashLoop, 0);
    });
  }

  /// Whoever started it (a serve before us, a hand-over): what does not answer is replaced.
  void end_silent_media(pid_t process) {
    if (!stopping_) kill(process, SIGKILL);
  }

  void check_media_service() {
    if (!settings_.spawn_media) media_service_.check();
  }

  std::string media_trouble() const {
    if (!media_.is_in_crash_loop()) return {};
    return "it ended " + std::to_string(media_.quick_ends()) +
           " times in a row soon after its start and is being started again; the reason is in " +
           settings_.data + "/media.log";
  }

  void handle_started(core::Result<api::ServerReady, core::Failure> ready) {
    if (!ready) return fail(ready.error());
    ready_ = std::move(*ready);
    // What goes to the journal of the system is kept and read by many: no secrets there.
    if (std::getenv("JOURNAL_STREAM") != nullptr)
      std::fputs("管理链接 / the admin link: sudo huitang admin link\n", stderr);
    else if (!ready_.admin_link.empty())
      std::fprintf(
          stderr,
          "\n管理链接（只显示这一次，请妥善保存）/ admin link (shown this once, keep it safe):\n  %s\n\n",
          ready_.admin_link.c_str());
    if (settings_.demo)
      return server_.prepare_demo([this](core::Result<std::string, core::Failure> number) {
        if (!number) return fail(number.error());
        demo_number_ = *number;
        await_media();
      });
    await_media();
  }

  /// The ready line promises meetings, so it waits for the media process; a service of its own may come
  /// later.
  void await_media() {
    if (stopping_) return;
    if (server_.media_ready() || !settings_.spawn_media) return announce();
    timer_.set(net::monotonic_now() + Duration::millis(20), [this] { await_media(); });
  }

  void announce() {
    const std::string demo =
        demo_number_.empty() ? "" : ", \"demo_url\": \"" + ready_.url + "/j/" + demo_number_ + "\"";
    std::printf("{\"url\": \"%s\"%s}\n", ready_.url.c_str(), demo.c_str());
    std::fflush(stdout);
    watch_.start();
    if (demo_number_.empty()) return;
    for (uint32_t i = 0; i < settings_.demo_bots; ++i) {
      bots_.emplace_back("bot", bot_config(i),
                         settings_.data + "/demo-bot-" + std::to_string(i + 1) + ".pid");
    }
    keep_bots();
  }

  api::ChildConfig bot_config(uint32_t index) const {
    static constexpr const char* kNames[] = {"会堂演示一", "会堂演示二", "会堂演示三"};
    const std::string name =
        index < std::size(kNames) ? kNames[index] : "会堂演示" + std::to_string(index + 1);
    api::ChildConfig config;
    config.arguments = {"bot",
                        "--url",
                        ready_.url + "/j/" + demo_number_,
                        "--name",
                        name,
                        "--mark",
                        std::to_string(101 + index),
                        "--tone",
                        std::to_string(440 + 110 * index),
                        "--give-up",
                        "90"};
    // They outlive a serve that is killed, as every participant does, and the next one finds them again.
    config.detached = true;
    if (ready_.ca_file.empty()) {
      config.arguments.push_back("--insecure");
    } else {
      config.arguments.insert(config.arguments.end(), {"--ca", ready_.ca_file});
    }
    config.log_file = settings_.data + "/bots.log";
    return config;
  }

  void keep_bots() {
    if (stopping_) return;
    for (Keeper& bot : bots_) {
      bot.look_after_adopted();
      if (bot.keep(net::monotonic_now()) && bots_started_++ >= bots_.size())
        server_.metrics().add(api::Metric::BotsRestarted);
    }
    timer_.set(net::monotonic_now() + Duration::seconds(1), [this] { keep_bots(); });
  }

  void handle_signal(int signal) {
    if (signal != SIGCHLD) return stop(signal);
    while (const std::optional<api::ChildEnd> end = api::reap_child()) {
      const Instant now = net::monotonic_now();
      if (media_.handle_end(now, *end)) {
        server_.metrics().set(api::Metric::MediaCrashLoop, media_.is_in_crash_loop() ? 1 : 0);
        continue;
      }
      for (Keeper& bot : bots_)
        if (bot.handle_end(now, *end)) break;
    }
  }

  void stop(int signal) {
    if (stopping_) return loop_.stop();  // asked twice: now
    stopping_ = true;
    watch_.handle_stop();
    net::root_logger().info("ending", {{"signal", signal}});
    for (Keeper& bot : bots_) bot.stop();
    server_.shut_down(settings_.spawn_media,
                      [this] { await_children(net::monotonic_now() + Duration::seconds(3)); });
  }

  void await_children(Instant until) {
    const Instant now = net::monotonic_now();
    for (Keeper& bot : bots_) bot.look_after_adopted();
    const bool bots_left = std::ranges::any_of(bots_, &Keeper::is_running);
    if ((!bots_left && !media_.is_running()) || now >= until) {
      media_.stop();
      return loop_.stop();
    }
    timer_.set(now + Duration::millis(20), [this, until] { await_children(until); });
  }

  void fail(const core::Failure& failure) {
    std::fprintf(stderr, "huitang serve: %s: %s\n", failure.context.c_str(), failure.code.message().c_str());
    exit_code_ = 1;
    loop_.stop();
  }

  api::Settings settings_;
  api::IoLoop loop_;
  api::LoopTimer timer_, media_settled_;
  api::LoopSignals signals_;
  Keeper media_;
  std::vector<Keeper> bots_;
  size_t bots_started_ = 0;
  api::Server server_;
  MediaService media_service_;
  ServeWatch watch_;
  api::ServerReady ready_;
  std::string demo_number_;
  bool stopping_ = false;
  int exit_code_ = 0;
};

int refuse_second_start(const api::Settings& settings, const std::string& holder) {
  std::fprintf(stderr,
               "huitang serve: 数据目录 %s 已被另一个正在运行的 serve（进程 %s）使用。请先结束它，或用 "
               "--data 指定别的目录。\n"
               "huitang serve: the folder %s is in use by another serve (process %s). End that one first, or "
               "give this "
               "one its own folder with --data.\n",
               settings.data.c_str(), holder.c_str(), settings.data.c_str(), holder.c_str());
  return 1;
}

}  // namespace

int run_serve(std::span<char* const> args) {
  Flags flags;
  if (const int code = parse_flags(args, flags); code != 0) return code < 0 ? 0 : code;
  // Settings that cannot be read end a start as well, so the pause comes before them.
  if (!net::await_turn_to_start("serve")) return 0;
  const std::optional<api::Settings> settings = settle(flags);
  if (!settings) return 2;
  signal(SIGPIPE, SIG_IGN);
  net::LogConfig log;
  log.level = to_level(settings->log_level);
  net::configure_log(log);
  if (core::Result<void, core::Failure> made = api::make_private_folder(settings->data); !made) {
    std::fprintf(stderr, "huitang serve: %s: %s\n", made.error().context.c_str(),
                 made.error().code.message().c_str());
    return 1;
  }
  std::string holder;
  core::Result<std::optional<api::FolderLock>, core::Failure> lock =
      api::FolderLock::take(settings->data, holder);
  if (!lock) {
    std::fprintf(stderr, "huitang serve: %s: %s\n", lock.error().context.c_str(),
                 lock.error().code.message().c_str());
    return 1;
  }
  if (!*lock) return refuse_second_start(*settings, holder);
  return Serve(*settings).run();
}

}  // namespace huitang::app
