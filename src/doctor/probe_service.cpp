#include "doctor/probe_service.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "api/certificate_view.h"
#include "api/file_util.h"
#include "core/address.h"
#include "doctor/probe_machine.h"
#include "huitang/v1/media.pb.h"
#include "net/clock.h"
#include "net/event_loop.h"
#include "net/frame_socket.h"

namespace huitang::doctor {

namespace {

constexpr core::Duration kPatience = core::Duration::seconds(4);

/// One conversation: hello, then a snapshot, which each worker has to give its part to.
class Conversation {
 public:
  explicit Conversation(const std::string& socket) {
    auto connected = net::FrameSocket::connect(loop_, socket,
                                               {.on_frame = [this](core::Bytes frame) { handle(frame); },
                                                .on_close = [this](net::FrameClose) { is_over_ = true; }});
    if (!connected) {
      error_ = connected.error().code;
      return;
    }
    socket_ = std::move(*connected);
  }
  std::error_code error() const { return error_; }

  MediaAnswer run(const std::string& own_build) {
    v1::MediaMessage hello;
    hello.set_id(1);
    hello.mutable_hello()->set_version_min(1);
    hello.mutable_hello()->set_version_max(1);
    hello.mutable_hello()->set_build(own_build + " doctor");
    send(hello);
    const core::Instant deadline = net::monotonic_now() + kPatience;
    while (!is_over_ && net::monotonic_now() < deadline) loop_.run_once(core::Duration::millis(50));
    return std::move(answer_);
  }

 private:
  void handle(core::Bytes frame) {
    v1::MediaMessage message;
    if (!message.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return;
    if (message.has_welcome()) {
      answer_.facts.answer = MediaFacts::Answer::Stuck;
      answer_.facts.build = message.welcome().build();
      answer_.facts.workers = message.welcome().workers();
      answer_.udp_addresses.assign(message.welcome().udp_addresses().begin(),
                                   message.welcome().udp_addresses().end());
      v1::MediaMessage ask;
      ask.set_id(2);
      ask.mutable_get_snapshot();
      send(ask);
    }
    if (message.has_snapshot()) answer_.facts.answer = MediaFacts::Answer::Good;
    is_over_ = is_over_ || message.has_snapshot();
  }
  void send(const v1::MediaMessage& message) {
    const std::string bytes = message.SerializeAsString();
    socket_->send(core::as_bytes(bytes));
  }

  net::EventLoop loop_;
  std::unique_ptr<net::FrameSocket> socket_;
  std::error_code error_;
  MediaAnswer answer_{{.answer = MediaFacts::Answer::Silent}, {}};
  bool is_over_ = false;
};

MediaFacts::Answer to_answer(std::error_code error) {
  if (error == std::errc::permission_denied) return MediaFacts::Answer::Forbidden;
  if (error == std::errc::no_such_file_or_directory) return MediaFacts::Answer::NoSocket;
  // A full backlog: somebody listens who has long stopped accepting.
  if (error == std::errc::resource_unavailable_try_again) return MediaFacts::Answer::Silent;
  return MediaFacts::Answer::Refused;
}

}  // namespace

MediaAnswer probe_media(const std::string& socket, const std::string& own_build) {
  Conversation conversation(socket);
  MediaAnswer answer;
  if (conversation.error())
    answer.facts.answer = to_answer(conversation.error());
  else
    answer = conversation.run(own_build);
  answer.facts.socket = socket;
  answer.facts.own_build = own_build;
  return answer;
}

std::optional<api::LocalTarget> local_target(const api::Settings& settings) {
  const auto pem = api::read_small_file(certificate_files(settings).cert);
  if (!pem || !*pem) return std::nullopt;
  const std::optional<api::CertificateView> view = api::view_certificate(**pem);
  if (!view) return std::nullopt;
  std::string host = settings.bind_address;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  return api::LocalTarget{host, static_cast<uint16_t>(settings.https_port), view->der,
                          api::read_local_token(settings.data).value_or("")};
}

ServeFacts probe_serve(const std::optional<api::LocalTarget>& target) {
  ServeFacts facts;
  if (!target) return facts;
  facts.address = target->host + ":" + std::to_string(target->port);
  const auto reply = api::ask_local(*target, "/readyz", {}, kPatience);
  if (!reply) {
    facts.is_other = reply.error() != api::LocalTrouble::NoAnswer;
    return facts;
  }
  facts.is_reached = true;
  facts.is_ready = reply->status == 200;
  if (!facts.is_ready) facts.missing = reply->body.substr(0, reply->body.find('\n'));
  // "ok", then one line for each alarm.
  const auto health = api::ask_local(*target, "/healthz", {}, kPatience);
  if (health && health->body.find('\n') != std::string::npos) {
    facts.alarms = health->body.substr(health->body.find('\n') + 1);
    while (facts.alarms.ends_with('\n')) facts.alarms.pop_back();
    std::ranges::replace(facts.alarms, '\n', ' ');
  }
  return facts;
}

}  // namespace huitang::doctor
