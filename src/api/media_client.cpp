#include "api/media_client.h"

#include <sys/socket.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <map>

#include "api/log.h"
#include "api/media_protocol.h"
#include "huitang/v1/media.pb.h"

namespace huitang::api {

namespace asio = boost::asio;
using asio::awaitable;
using boost::system::error_code;
using std::chrono::milliseconds;
using Stream = asio::local::stream_protocol::socket;

namespace {

constexpr std::chrono::seconds kReplyTime{10};
/// A node that was just started by on_nobody listens within a few milliseconds.
constexpr milliseconds kShortestPause{20}, kLongestPause{2000};
constexpr size_t kMaxQueued = 32 * 1024 * 1024;

auto into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

/// 0 when the kernel does not say.
pid_t process_behind(Stream& stream) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(stream.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

}  // namespace

struct MediaClient::Impl : std::enable_shared_from_this<MediaClient::Impl> {
  Impl(IoLoop& io_loop, Metrics& m, Config c, MediaEvents& e)
      : context(io_loop.context()),
        metrics(m),
        config(std::move(c)),
        events(&e),
        stream(context),
        wake(context),
        pause(context),
        reply_deadline(context) {}

  awaitable<void> run();
  awaitable<bool> greet();
  awaitable<void> read_all();
  awaitable<bool> read_one(v1::MediaMessage& message);
  awaitable<void> write_all(uint64_t of_connection);
  void send(v1::MediaMessage message, ReplyHandler on_reply);
  void dispatch(v1::MediaMessage message);
  void drop();
  void watch_silence();
  void give_up_silent(const char* what);

  asio::io_context& context;
  Metrics& metrics;
  Config config;
  MediaEvents* events;  ///< null after stop()
  Stream stream;
  asio::steady_timer wake, pause, reply_deadline;
  MediaFrameReader reader;
  std::deque<std::string> outgoing;
  size_t outgoing_bytes = 0;
  struct Waiting {
    ReplyHandler on_reply;
    std::chrono::steady_clock::time_point until;
  };
  std::map<uint64_t, Waiting> waiting;
  std::chrono::steady_clock::time_point last_heard;
  uint64_t next_id = 1;
  uint64_t connection = 0;
  std::string node_id;
  bool ready = false;
  bool stopping = false;
};

awaitable<void> MediaClient::Impl::run() {
  const std::shared_ptr<Impl> self = shared_from_this();
  milliseconds wait = kShortestPause;
  while (!stopping) {
    error_code error;
    stream = Stream(context);
    co_await stream.async_connect(asio::local::stream_protocol::endpoint(config.socket_path), into(error));
    if (!error) {
      ++connection;
      reader = {};
      last_heard = std::chrono::steady_clock::now();
      watch_silence();
      asio::co_spawn(context, write_all(connection), asio::detached);
      const bool welcome = co_await greet();
      if (welcome) {
        wait = kShortestPause;
        co_await read_all();
      }
      drop();
    } else if (!stopping && config.on_nobody) {
      config.on_nobody();
    }
    if (stopping) break;
    pause.expires_after(wait);
    co_await pause.async_wait(into(error));
    wait = std::min(wait * 2, kLongestPause);
  }
}

awaitable<bool> MediaClient::Impl::greet() {
  v1::MediaMessage hello;
  hello.mutable_hello()->set_version_min(kMediaVersionMin);
  hello.mutable_hello()->set_version_max(kMediaVersionMax);
  hello.mutable_hello()->set_build(config.build);
  send(std::move(hello), [](const v1::MediaMessage*) {});
  v1::MediaMessage message;
  bool got = co_await read_one(message);
  if (!got || !message.has_welcome()) {
    logger().error("media node did not greet",
                   {{"got", got ? "something else" : "nothing"}, {"detail", message.error().detail()}});
    co_return false;
  }
  waiting.clear();
  const v1::MediaWelcome welcome = message.welcome();
  if (welcome.version() < kMediaVersionMin || welcome.version() > kMediaVersionMax) {
    logger().error("media node speaks another version", {{"version", welcome.version()}});
    co_return false;
  }
  v1::MediaMessage ask;
  ask.mutable_get_snapshot();
  send(std::move(ask), [](const v1::MediaMessage*) {});
  do {
    got = co_await read_one(message);
  } while (got && !message.has_snapshot());  // events may come first
  if (!got || events == nullptr) co_return false;
  waiting.clear();
  metrics.add(Metric::MediaConnects);
  if (!node_id.empty() && node_id != welcome.node_id()) metrics.add(Metric::MediaNodesReplaced);
  node_id = welcome.node_id();
  ready = true;
  metrics.set(Metric::MediaConnected, 1);
  logger().info("media node ready", {{"node", node_id},
                                     {"build", welcome.build()},
                                     {"workers", welcome.workers()},
                                     {"peers", message.snapshot().peers_size()}});
  events->handle_node_ready(message.snapshot());
  co_return true;
}

awaitable<bool> MediaClient::Impl::read_one(v1::MediaMessage& message) {
  uint8_t part[16 * 1024];
  for (;;) {
    core::Result<bool, core::ParseError> next = reader.next(message);
    if (!next) {
      logger().error("media node sent what is no message", {{"error", core::to_string(next.error())}});
      co_return false;
    }
    if (*next) {
      last_heard = std::chrono::steady_clock::now();
      co_return true;
    }
    error_code error;
    const size_t n = co_await stream.async_read_some(asio::buffer(part), into(error));
    if (error) co_return false;
    reader.append({part, n});
  }
}

awaitable<void> MediaClient::Impl::read_all() {
  v1::MediaMessage message;
  for (;;) {
    const bool got = co_await read_one(message);
    if (!got || events == nullptr) co_return;
    dispatch(std::move(message));
    message.Clear();
  }
}

void MediaClient::Impl::dispatch(v1::MediaMessage message) {
  if (message.reply_to() == 0) return events->handle_node_event(message);
  const auto at = waiting.find(message.reply_to());
  if (at == waiting.end()) return;
  const ReplyHandler on_reply = std::move(at->second.on_reply);
  waiting.erase(at);
  if (on_reply) on_reply(&message);
}

void MediaClient::Impl::send(v1::MediaMessage message, ReplyHandler on_reply) {
  const uint64_t id = next_id++;
  message.set_id(id);
  std::string frame = write_media_frame(message);
  outgoing_bytes += frame.size();
  if (outgoing_bytes > kMaxQueued) {
    logger().error("media node does not read", {{"queued", outgoing_bytes}});
    error_code ignored;
    stream.close(ignored);
  }
  outgoing.push_back(std::move(frame));
  waiting.emplace(id, Waiting{std::move(on_reply), std::chrono::steady_clock::now() + kReplyTime});
  wake.cancel();
}

awaitable<void> MediaClient::Impl::write_all(uint64_t of_connection) {
  const std::shared_ptr<Impl> self = shared_from_this();
  error_code error;
  while (connection == of_connection && stream.is_open()) {
    if (outgoing.empty()) {
      wake.expires_at(asio::steady_timer::time_point::max());
      co_await wake.async_wait(into(error));
      continue;
    }
    const std::string frame = std::move(outgoing.front());
    outgoing.pop_front();
    co_await asio::async_write(stream, asio::buffer(frame), into(error));
    if (connection != of_connection) co_return;
    outgoing_bytes -= std::min(outgoing_bytes, frame.size());
    if (error) co_return;
  }
}

/// From the connection on: a stopped process still lets others connect to its socket.
void MediaClient::Impl::watch_silence() {
  reply_deadline.expires_after(std::chrono::seconds(1));
  reply_deadline.async_wait([weak = weak_from_this(), of_connection = connection](error_code error) {
    const std::shared_ptr<Impl> self = weak.lock();
    if (error || !self || self->connection != of_connection || self->stopping) return;
    const auto now = std::chrono::steady_clock::now();
    // The oldest request decides: a node that leaves it unanswered is as good as gone.
    if (self->ready && !self->waiting.empty() && self->waiting.begin()->second.until < now)
      return self->give_up_silent("a request is unanswered");
    if (self->last_heard + kReplyTime < now) return self->give_up_silent("nothing is heard of it");
    self->watch_silence();
  });
}

void MediaClient::Impl::give_up_silent(const char* what) {
  const pid_t process = process_behind(stream);
  logger().error("media node does not answer", {{"what", what}, {"pid", process}});
  metrics.add(Metric::MediaNodesSilent);
  error_code ignored;
  stream.close(ignored);
  if (config.on_silent && process > 0) config.on_silent(process);
}

void MediaClient::Impl::drop() {
  const bool was_ready = std::exchange(ready, false);
  ++connection;
  error_code ignored;
  stream.close(ignored);
  reply_deadline.cancel();
  wake.cancel();
  outgoing.clear();
  outgoing_bytes = 0;
  metrics.set(Metric::MediaConnected, 0);
  const std::map<uint64_t, Waiting> unanswered = std::move(waiting);
  waiting.clear();
  if (was_ready && events != nullptr) events->handle_node_lost();
  for (const auto& [id, entry] : unanswered)
    if (entry.on_reply) entry.on_reply(nullptr);
}

MediaClient::MediaClient(IoLoop& loop, Metrics& metrics, Config config, MediaEvents& events)
    : impl_(std::make_shared<Impl>(loop, metrics, std::move(config), events)) {}

MediaClient::~MediaClient() { stop(); }

void MediaClient::start() { asio::co_spawn(impl_->context, impl_->run(), asio::detached); }

bool MediaClient::is_ready() const { return impl_->ready; }

void MediaClient::request(v1::MediaMessage message, ReplyHandler on_reply) {
  if (impl_->ready) return impl_->send(std::move(message), std::move(on_reply));
  asio::post(impl_->context, [on_reply = std::move(on_reply)] { on_reply(nullptr); });
}

void MediaClient::shut_node_down(std::function<void()> done) {
  v1::MediaMessage message;
  message.mutable_shutdown();
  request(std::move(message), [done = std::move(done)](const v1::MediaMessage*) { done(); });
}

void MediaClient::stop() {
  impl_->stopping = true;
  impl_->events = nullptr;
  impl_->config.on_nobody = nullptr;
  impl_->config.on_silent = nullptr;
  error_code ignored;
  impl_->stream.close(ignored);
  impl_->pause.cancel();
  impl_->wake.cancel();
  impl_->reply_deadline.cancel();
}

const std::string& MediaClient::node_id() const { return impl_->node_id; }

}  // namespace huitang::api
