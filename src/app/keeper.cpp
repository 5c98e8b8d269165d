#include "app/keeper.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>

#include "net/log.h"

namespace huitang::app {

using core::Duration;
using core::Instant;

Keeper::Keeper(std::string what, api::ChildConfig config, std::string note)
    : what_(std::move(what)), config_(std::move(config)), note_(std::move(note)) {
  pid_t known = 0;
  if (!note_.empty()) std::ifstream(note_) >> known;
  if (known <= 0 || !api::is_running_as(known, config_.arguments)) return;
  pid_ = known;
  is_adopted_ = true;
  net::root_logger().info("child taken over", {{"what", what_}, {"pid", pid_}});
}

bool Keeper::keep(Instant now) {
  if (pid_ > 0 || now < not_before_) return false;
  core::Result<pid_t, core::Failure> started = api::start_self(config_);
  if (!started) {
    net::root_logger().error("child not started", {{"what", what_}, {"why", started.error().context}});
    fall_back(now);
    return false;
  }
  pid_ = *started;
  started_at_ = now;
  is_adopted_ = false;
  if (!note_.empty()) std::ofstream(note_) << pid_ << '\n';
  net::root_logger().info("child started", {{"what", what_}, {"pid", pid_}});
  return true;
}

void Keeper::look_after_adopted() {
  if (is_adopted_ && pid_ > 0 && !api::is_running_as(pid_, config_.arguments)) pid_ = 0;
}

bool Keeper::handle_end(Instant now, const api::ChildEnd& end) {
  if (end.pid != pid_) return false;
  // In order: it was told to, or it has handed over to a process that is nobody's child and ends by Shutdown.
  if (WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0) {
    net::root_logger().info("child ended", {{"what", what_}, {"pid", pid_}, {"how", "in order"}});
    pid_ = 0;
    return true;
  }
  net::root_logger().warn("child ended",
                          {{"what", what_}, {"pid", pid_}, {"how", api::describe_end(end.status)}});
  pid_ = 0;
  fall_back(now);
  return true;
}

void Keeper::stop() {
  if (pid_ > 0) kill(pid_, SIGTERM);
}

void Keeper::fall_back(Instant now) {
  const bool lived = now - started_at_ > kLived;
  quick_ends_ = lived ? 0 : quick_ends_ + 1;
  pause_ = lived ? Duration() : std::clamp(pause_ * 2, kShortest, kLongest);
  not_before_ = now + pause_;
  if (quick_ends_ == kAlarm)
    net::root_logger().error("child ends again and again", {{"what", what_}, {"times", quick_ends_}});
}

}  // namespace huitang::app
