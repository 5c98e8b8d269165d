#include "app/doctor_trial.h"

#include <google/protobuf/util/json_util.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "api/child_process.h"
#include "api/file_util.h"
#include "doctor/trial.h"
#include "huitang/v1/api.pb.h"
#include "net/clock.h"
#include "net/unique_fd.h"

namespace huitang::app {

namespace {

constexpr core::Duration kAnswerTime = core::Duration::seconds(5);
constexpr core::Duration kTrialTime = core::Duration::seconds(20);
constexpr core::Duration kGoodbyeTime = core::Duration::seconds(4);
constexpr auto kLook = std::chrono::milliseconds(100);

/// A file of this user alone that the child writes its lines to; gone with the object.
class Lines {
 public:
  Lines() {
    fd_.reset(::mkstemp(path_.data()));
    if (!fd_) path_.clear();
  }
  ~Lines() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  const std::string& path() const { return path_; }
  std::string read() const {
    const auto text = api::read_small_file(path_);
    return text && *text ? **text : std::string();
  }

 private:
  std::string path_ = "/tmp/huitang-doctor-XXXXXX";
  net::UniqueFd fd_;
};

doctor::PathFacts obstacle(std::string what) {
  doctor::PathFacts facts;
  facts.obstacle = std::move(what);
  return facts;
}

core::Result<v1::CreateConferenceResponse, std::string> make_conference(const api::LocalTarget& target) {
  const auto reply = api::ask_local(target, "/huitang.v1.ConferenceService/CreateConference",
                                    R"({"title":"huitang doctor"})", kAnswerTime);
  if (!reply) return core::err(std::string("serve does not answer"));
  v1::CreateConferenceResponse made;
  if (reply->status != 200 || !google::protobuf::util::JsonStringToMessage(reply->body, &made).ok())
    return core::err("CreateConference: " + std::to_string(reply->status));
  return made;
}

bool has_ended(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) == pid; }

/// Until `done` or the time is over; false when the child ended before.
template <class Done>
bool watch(pid_t pid, core::Duration time, Done done) {
  const core::Instant deadline = net::monotonic_now() + time;
  while (!done() && net::monotonic_now() < deadline) {
    if (has_ended(pid)) return false;
    std::this_thread::sleep_for(kLook);
  }
  return true;
}

}  // namespace

doctor::PathFacts run_trial(const api::LocalTarget& target) {
  if (target.token.empty())
    return obstacle("DATA/local.token cannot be read (is serve running, and are you root or huitang?)");
  const auto made = make_conference(target);
  if (!made) return obstacle(made.error());
  const Lines lines;
  if (lines.path().empty()) return obstacle("no file can be made in /tmp");
  api::ChildConfig child;
  child.log_file = lines.path();
  // The certificate was compared with ours just now; whether browsers trust it is another check.
  child.arguments = {"bot",
                     "--url",
                     made->chair_link(),
                     "--count",
                     "2",
                     "--name",
                     std::string(doctor::kTrialName),
                     "--mark",
                     std::to_string(doctor::kTrialMark),
                     "--tone",
                     std::to_string(doctor::kTrialTone),
                     "--json",
                     "--insecure",
                     "--end"};
  const core::Result<pid_t, core::Failure> pid = api::start_self(child);
  if (!pid) return obstacle("the bots cannot be started: " + pid.error().code.message());
  doctor::PathFacts facts;
  const bool lives = watch(*pid, kTrialTime, [&] {
    facts = doctor::judge_trial(lines.read());
    return doctor::is_success(facts);
  });
  if (!lives) return facts;
  ::kill(*pid, SIGTERM);  // they end the conference and leave
  bool ended = false;
  watch(*pid, kGoodbyeTime, [&] { return ended = has_ended(*pid); });
  if (!ended && ::kill(*pid, SIGKILL) == 0) ::waitpid(*pid, nullptr, 0);
  return facts;
}

}  // namespace huitang::app
