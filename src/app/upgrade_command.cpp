// `huitang upgrade`: puts the installed executable into the place of the running media process, while meetings
// go on, and puts the old one back when the new one is not well.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "app/command.h"
#include "app/media_control.h"
#include "app/own_settings.h"
#include "net/clock.h"
#include "worker/hand_over.h"

namespace huitang::app {

namespace {

using core::Duration;

struct Options {
  BoxFlags box;
  std::string socket, executable;
  bool allows_older = false;
};

constexpr Duration kAnswerPatience = Duration::seconds(5);
constexpr Duration kHandOverPatience = Duration::seconds(30);  // above HandOver's own deadlines together
constexpr Duration kFlowPatience = Duration::seconds(3);
constexpr Duration kFlowLook = Duration::millis(500);

/// One thing said to the caretaker, in both languages.
void say(std::FILE* out, const std::string& chinese, const std::string& english) {
  std::fprintf(out, "%s\n%s\n", chinese.c_str(), english.c_str());
}

/// "huitang 0.1.0" → {0, 1, 0}; absent for anything else.
std::optional<std::vector<int>> parse_version(const std::string& text) {
  std::vector<int> parts;
  const char* at = text.c_str();
  for (;;) {
    char* end = nullptr;
    const long part = std::strtol(at, &end, 10);
    if (end == at || part < 0 || part > 1'000'000) return std::nullopt;
    parts.push_back(static_cast<int>(part));
    if (*end != '.') return parts;
    at = end + 1;
  }
}

/// What `EXECUTABLE version` prints after "huitang "; absent when it does not run.
std::optional<std::string> version_of(const std::string& executable) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  const net::UniqueFd in(ends[0]);
  net::UniqueFd out(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return std::nullopt;
  if (pid == 0) {
    ::dup2(out.get(), STDOUT_FILENO);
    ::alarm(10);
    ::execl(executable.c_str(), executable.c_str(), "version", nullptr);
    ::_exit(127);
  }
  out.reset();
  std::string text;
  std::array<char, 256> part;
  for (ssize_t n = 0; text.size() < 4096 && (n = ::read(in.get(), part.data(), part.size())) > 0;)
    text.append(part.data(), static_cast<size_t>(n));
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return std::nullopt;
  static constexpr std::string_view kBefore = "huitang ";
  if (!text.starts_with(kBefore)) return std::nullopt;
  return text.substr(kBefore.size(), text.find('\n') - kBefore.size());
}

/// What a healthy node shows.
struct Picture {
  std::string build;
  size_t connected = 0;
  uint64_t packets_in = 0, packets_out = 0;
};

std::optional<Picture> look(MediaControl& node) {
  v1::MediaMessage request;
  request.mutable_get_snapshot();
  const auto answer = node.ask(std::move(request), kAnswerPatience);
  if (!answer || !answer->has_snapshot()) return std::nullopt;
  Picture out{.build = node.welcome().build()};
  for (const v1::SnapshotPeer& peer : answer->snapshot().peers()) {
    out.connected += peer.state() == v1::PEER_STATE_CONNECTED;
    out.packets_in += peer.packets_in();
    out.packets_out += peer.packets_out();
  }
  return out;
}

/// The first picture, and whether packets came and left after it.
struct Flow {
  Picture picture;
  bool in = false, out = false;
};

std::optional<Flow> watch_flow(MediaControl& node, bool expects_in, bool expects_out) {
  const auto first = look(node);
  if (!first) return std::nullopt;
  Flow flow{*first};
  const core::Instant until = net::monotonic_now() + kFlowPatience;
  do {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kFlowLook.to_nanos()));
    const auto now = look(node);
    if (!now) return std::nullopt;
    flow.in = now->packets_in > first->packets_in;
    flow.out = now->packets_out > first->packets_out;
  } while (((expects_in && !flow.in) || (expects_out && !flow.out)) && net::monotonic_now() < until);
  return flow;
}

class Upgrade {
 public:
  explicit Upgrade(Options options) : options_(std::move(options)) {}

  int run() {
    if (options_.executable.empty()) options_.executable = worker::own_executable();
    std::error_code error;
    options_.executable = std::filesystem::absolute(options_.executable, error).string();
    if (!connect() || !check_executable() || !look_before()) return 1;
    v1::HandOver request;
    request.set_executable(options_.executable);
    if (!hand_over(request)) {
      say(stderr, "原来的媒体进程继续运行，会议不受影响。",
          "The media process from before goes on; no meeting was touched.");
      return 1;
    }
    if (is_healthy()) {
      say(stdout, "升级完成：媒体进程现为 " + now_.build + " 版，会议未中断。",
          "Upgraded: the media process is " + now_.build + " now; no meeting was interrupted.");
      return 0;
    }
    return roll_back();
  }

 private:
  bool connect() {
    auto node = MediaControl::connect(options_.socket, kAnswerPatience);
    if (!node) {
      say(stderr, "无法连接媒体进程（" + options_.socket + "）：" + node.error(),
          "Cannot reach the media process at " + options_.socket + ": " + node.error());
      return false;
    }
    node_ = std::move(*node);
    if (node_->welcome().version() >= worker::ControlServer::kHandOverSince) return true;
    say(stderr, "正在运行的媒体进程版本过旧，不支持不停机升级；请在没有会议时重启服务。",
        "The running media process is too old to hand over; restart the service when no meeting is on.");
    return false;
  }

  bool check_executable() {
    const std::string& file = options_.executable;
    const auto text = version_of(file);
    const auto fresh = text ? parse_version(*text) : std::nullopt;
    if (!fresh) {
      say(stderr, file + " 无法运行，或者不是会堂程序。", file + " does not run, or is not huitang.");
      return false;
    }
    const auto running = parse_version(node_->welcome().build());
    if (options_.allows_older || !running || *fresh >= *running) return true;
    say(stderr,
        file + "（" + *text + "）比正在运行的版本（" + node_->welcome().build() +
            "）旧；确要使用请加 --allow-older。",
        file + " (" + *text + ") is older than what runs (" + node_->welcome().build() +
            "); --allow-older takes it nevertheless.");
    return false;
  }

  bool look_before() {
    const auto flow = watch_flow(*node_, false, false);
    if (!flow) {
      say(stderr, "媒体进程没有应答。", "The media process does not answer.");
      return false;
    }
    before_ = *flow;
    return true;
  }

  bool hand_over(const v1::HandOver& wish) {
    v1::MediaMessage request;
    *request.mutable_hand_over() = wish;
    const auto answer = node_->ask(std::move(request), kHandOverPatience);
    if (!answer || !answer->has_handed_over()) {
      const std::string why = answer ? answer->error().detail() : answer.error();
      say(stderr, "交接未进行：" + why, "No hand-over: " + why);
      return false;
    }
    const v1::HandedOver& done = answer->handed_over();
    const std::string millis = std::to_string(static_cast<double>(done.frozen_micros()) / 1000);
    say(stdout,
        "已交接给进程 " + std::to_string(done.pid()) + "：" + std::to_string(done.peers()) +
            " 个连接，停顿 " + millis + " 毫秒。",
        "Handed over to process " + std::to_string(done.pid()) + ": " + std::to_string(done.peers()) +
            " peers, still for " + millis + " ms.");
    return reconnect(static_cast<pid_t>(done.pid()));
  }

  bool reconnect(pid_t pid) {
    const core::Instant until = net::monotonic_now() + kAnswerPatience;
    while (net::monotonic_now() < until) {
      auto node = MediaControl::connect(options_.socket, kAnswerPatience);
      if (node && (*node)->pid() == pid) {
        node_ = std::move(*node);
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    node_.reset();
    return true;  // handed over it was; is_healthy() will say that nobody answers
  }

  bool is_healthy() {
    if (!node_) return unwell("新的媒体进程没有应答", "the new media process does not answer");
    const auto flow = watch_flow(*node_, before_.in, before_.out);
    if (!flow) return unwell("新的媒体进程没有应答", "the new media process does not answer");
    now_ = flow->picture;
    if (now_.connected < before_.picture.connected)
      return unwell(
          "连接数减少：" + std::to_string(before_.picture.connected) + " → " + std::to_string(now_.connected),
          "fewer peers: " + std::to_string(before_.picture.connected) + " before, " +
              std::to_string(now_.connected) + " now");
    if ((before_.in && !flow->in) || (before_.out && !flow->out))
      return unwell("音视频数据停止流动", "packets no longer flow");
    return true;
  }

  static bool unwell(const std::string& chinese, const std::string& english) {
    say(stderr, "检查未通过：" + chinese + "。", "Not well: " + english + ".");
    return false;
  }

  int roll_back() {
    v1::HandOver request;
    request.set_back(true);
    if (node_ && hand_over(request) && node_) {
      say(stderr, "已退回到原来的程序。", "Back to the executable from before.");
    } else {
      say(stderr, "无法退回。请查看媒体进程的日志；必要时重启媒体服务，与会者会自动重新连接。",
          "It cannot be taken back. Read the media process's log; restart the media service if need be, "
          "participants "
          "reconnect by themselves.");
    }
    return 1;
  }

  Options options_;
  std::unique_ptr<MediaControl> node_;
  Flow before_;
  Picture now_;
};

/// False after the reason was printed.
bool find_socket(Options& options) {
  if (!options.socket.empty()) return true;
  use_installed_settings(options.box);
  auto settings = read_settings(options.box, "upgrade");
  if (!settings) return false;
  complete_settings(*settings);
  options.socket = settings->media_socket;
  return true;
}

}  // namespace

int run_upgrade(std::span<char* const> args) {
  Options options;
  CLI::App app("Puts an executable into the place of the running media process while meetings go on.",
               "huitang upgrade");
  app.add_option("--config", options.box.config, "serve's TOML file");
  app.add_option("--data", options.box.data, "serve's folder");
  app.add_option("--socket", options.socket, "control socket of the media process [DATA/media.sock]");
  app.add_option("--executable", options.executable, "what shall run instead [this executable]");
  app.add_flag("--allow-older", options.allows_older, "also an older version than the one that runs");
  std::vector<std::string> words(args.rbegin(), args.rend());
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  signal(SIGPIPE, SIG_IGN);
  return find_socket(options) ? Upgrade(std::move(options)).run() : 1;
}

}  // namespace huitang::app
