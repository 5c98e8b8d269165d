#include "worker/hand_over.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <future>

#include "net/clock.h"
#include "worker/hand_over_codec.h"

namespace huitang::worker {

namespace {

constexpr int kChannelFd = 3;
constexpr core::Duration kSettleLook = core::Duration::millis(50);
constexpr core::Duration kSmallFramePatience = core::Duration::seconds(1);

/// The environment of the new process; the watchdog of this one is not its own (net/service_notify.h).
std::vector<char*> environment() {
  std::vector<char*> out;
  for (char** at = environ; *at != nullptr; ++at)
    if (std::strncmp(*at, "WATCHDOG_PID=", 13) != 0) out.push_back(*at);
  out.push_back(nullptr);
  return out;
}

/// In a session of its own, with no signal blocked and no descriptor but the standard ones and the channel.
core::Result<pid_t, std::string> spawn(const std::string& executable, std::vector<std::string> arguments,
                                       int channel) {
  arguments.insert(arguments.begin(), executable);
  std::vector<char*> words;
  for (std::string& word : arguments) words.push_back(word.data());
  words.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&files, channel, kChannelFd);
  ::posix_spawn_file_actions_addclosefrom_np(&files, kChannelFd + 1);
  sigset_t none, ours;
  ::sigemptyset(&none);
  ::sigemptyset(&ours);
  for (const int signal : {SIGTERM, SIGINT, SIGPIPE}) ::sigaddset(&ours, signal);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &ours);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, executable.c_str(), &files, &attributes, words.data(), environment().data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return core::err(executable + " cannot be started: " + std::strerror(error));
  return pid;
}

}  // namespace

std::string own_executable() {
  std::array<char, 4096> text;
  const ssize_t n = ::readlink("/proc/self/exe", text.data(), text.size());
  if (n <= 0) return {};
  std::string path(text.data(), static_cast<size_t>(n));
  static constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

HandOver::HandOver(net::EventLoop& loop, std::vector<std::unique_ptr<WorkerThread>>& workers,
                   ControlServer& control, HandOverConfig config,
                   std::function<void(const HandOverOutcome&)> on_end)
    : loop_(loop),
      workers_(workers),
      control_(control),
      config_(std::move(config)),
      on_end_(std::move(on_end)),
      log_(net::root_logger()) {}

HandOver::~HandOver() {
  *alive_ = false;
  loop_.cancel(deadline_);
  loop_.cancel(look_);
  if (channel_) loop_.unwatch(channel_->fd());
  if (state_ != State::Done) end_child();
}

void HandOver::start() {
  HandOverChannel::Pair pair = HandOverChannel::make_pair();
  if (!pair.ours) return refuse("no socket pair");
  config_.arguments.insert(config_.arguments.end(), {"--take-over-fd", std::to_string(kChannelFd)});
  const auto child = spawn(config_.executable, config_.arguments, pair.theirs.get());
  if (!child) return refuse(child.error());
  start_with(std::move(pair.ours), *child);
}

void HandOver::start_with(net::UniqueFd channel, pid_t child) {
  child_ = child;
  channel_ = std::make_unique<HandOverChannel>(std::move(channel), HandOverChannel::kMaxSmallFrame);
  loop_.watch(channel_->fd(), {}, [this](core::Instant, net::Readiness) { on_readable(); });
  deadline_ =
      loop_.call_after(kPreparePatience, [this](core::Instant) { refuse("it is not prepared in time"); });
}

void HandOver::on_readable() {
  const std::shared_ptr<bool> alive = alive_;
  while (*alive && state_ <= State::Quieting) {
    const auto message = channel_->poll();
    if (!message) return refuse(message.error());
    if (!*message) return;
    handle(**message);
  }
}

void HandOver::handle(const v1::HandOverMessage& message) {
  if (message.has_refused()) return refuse("it says: " + message.refused().reason());
  if (state_ == State::Greeting && message.has_hello()) return handle_hello(message.hello());
  if (state_ != State::Preparing || !message.has_prepared()) return refuse("it speaks out of turn");
  loop_.cancel(deadline_);
  deadline_ = loop_.call_after(kSettlePatience + kFrozenPatience,
                               [this](core::Instant) { refuse("a worker or a request does not end"); });
  state_ = State::Settling;
  settle_by_ = loop_.now() + kSettlePatience;
  settle();
}

void HandOver::handle_hello(const v1::HandOverHello& hello) {
  const uint32_t version = std::min(hello.version_max(), kVersionMax);
  if (version == 0 || version < std::max(hello.version_min(), kVersionMin))
    return refuse("no common version of the hand-over: this process speaks " + std::to_string(kVersionMin) +
                  " to " + std::to_string(kVersionMax));
  build_ = hello.build();
  state_ = State::Preparing;
  v1::HandOverMessage out;
  *out.mutable_welcome() = config_.welcome;
  out.mutable_welcome()->set_version(version);
  out.mutable_welcome()->set_workers(static_cast<uint32_t>(workers_.size()));
  std::vector<int> descriptors;
  for (const auto& worker : workers_) descriptors.push_back(worker->socket());
  // Its file may have been replaced or removed; by the descriptor it can be started again.
  const net::UniqueFd own(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (own) descriptors.push_back(own.get());
  if (const auto sent = channel_->send(out, kSmallFramePatience, descriptors); !sent) refuse(sent.error());
}

/// Handshakes under way get a moment: their associations cannot move.
void HandOver::settle() {
  auto open = std::make_shared<bool>(false);
  auto missing = std::make_shared<size_t>(workers_.size());
  for (const auto& worker : workers_)
    worker->post([this, alive = alive_, open, missing](core::Instant now, Worker& w) {
      loop_.post([this, alive, open, missing, is_open = w.has_open_handshake(now)] {
        if (!*alive || state_ != State::Settling) return;
        *open = *open || is_open;
        if (--*missing != 0) return;
        if (*open && loop_.now() < settle_by_) {
          look_ = loop_.call_after(kSettleLook, [this](core::Instant) { settle(); });
          return;
        }
        state_ = State::Quieting;
        control_.hold([this, alive] {
          if (*alive && state_ == State::Quieting) freeze();
        });
      });
    });
}

void HandOver::freeze() {
  state_ = State::Frozen;
  loop_.cancel(deadline_);
  const core::Instant began = net::monotonic_now();
  const auto taken = give_everything();
  if (!taken) return refuse(taken.error());
  state_ = State::Done;
  loop_.unwatch(channel_->fd());
  for (const auto& worker : workers_) worker->retire();
  finish({.pid = static_cast<uint32_t>(child_),
          .build = build_,
          .peers = *taken,
          .frozen = net::monotonic_now() - began});
}

/// Blocks this loop while media stands still; in return nothing can change under the state on its way.
core::Result<uint32_t, std::string> HandOver::give_everything() {
  const core::Instant until = net::monotonic_now() + kFrozenPatience;
  const auto left = [until] { return until - net::monotonic_now(); };
  std::vector<std::future<v1::HandOverMessage>> states;
  for (size_t i = 0; i < workers_.size(); ++i) {
    auto promise = std::make_shared<std::promise<v1::HandOverMessage>>();
    states.push_back(promise->get_future());
    workers_[i]->freeze([promise, i, worker = workers_[i].get()](core::Instant now, Worker&) {
      v1::HandOverMessage message;
      message.mutable_worker()->set_index(static_cast<uint32_t>(i));
      write_worker_state(worker->export_state(now), *message.mutable_worker());
      promise->set_value(std::move(message));
    });
  }
  for (auto& state : states) {
    if (state.wait_for(std::chrono::nanoseconds(left().to_nanos())) != std::future_status::ready)
      return core::err(std::string("a worker does not stand still"));
    if (const auto sent = channel_->send(state.get(), left()); !sent) return core::err(sent.error());
  }
  v1::HandOverMessage control;
  *control.mutable_control() = control_.export_state();
  if (const auto sent = channel_->send(control, left()); !sent) return core::err(sent.error());
  const auto answer = channel_->receive(left());
  if (!answer) return core::err(answer.error());
  if (answer->has_refused()) return core::err("it says: " + answer->refused().reason());
  if (!answer->has_ready()) return core::err(std::string("it speaks out of turn"));
  v1::HandOverMessage go;
  go.mutable_go();
  if (const auto sent = channel_->send(go, left()); !sent) return core::err(sent.error());
  return answer->ready().peers();
}

/// The new process is gone before anything goes on here: two that send under one key would be worse than none.
void HandOver::refuse(const std::string& reason) {
  if (state_ == State::Done || state_ == State::Refused) return;
  const bool was_frozen = state_ == State::Frozen;
  state_ = State::Refused;
  log_.warn("hand-over refused", {{"executable", config_.executable}, {"why", reason}});
  loop_.cancel(deadline_);
  loop_.cancel(look_);
  if (channel_) loop_.unwatch(channel_->fd());
  end_child();
  if (was_frozen)
    for (const auto& worker : workers_) worker->thaw();
  control_.go_on();
  finish({.refusal = config_.executable + " does not take over: " + reason});
}

void HandOver::end_child() {
  if (child_ <= 0) return;
  ::kill(-child_, SIGKILL);  // its session: a script may have started others
  ::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  child_ = 0;
}

/// From the loop, so that whoever is told may destroy this object.
void HandOver::finish(HandOverOutcome outcome) {
  loop_.post([this, alive = alive_, outcome = std::move(outcome)] {
    if (!*alive) return;
    const auto on_end = on_end_;
    on_end(outcome);
  });
}

}  // namespace huitang::worker
