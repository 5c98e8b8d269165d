#include "api/https_server.h"

#include <openssl/ssl.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <unordered_map>

#include "api/beast_http.h"
#include "api/door.h"
#include "api/log.h"
#include "api/security_headers.h"
#include "api/tls_socket.h"
#include "api/token_bucket.h"
#include "net/clock.h"

namespace huitang::api {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::awaitable;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::seconds;

namespace {

using SocketStream = websocket::stream<TlsSocket>;

constexpr core::Duration kStrangerTime = core::Duration::seconds(10);
constexpr core::Duration kAnswerTime = core::Duration::seconds(30);
constexpr size_t kSlowestReader = 8 * 1024;  ///< bytes a second of a reply that somebody has to take
constexpr core::Duration kSweep = core::Duration::millis(250);
constexpr seconds kHandshakeTime{10};
constexpr seconds kSocketSilence{20};
constexpr Rate kControlFrames{4, 40};  ///< pings, pongs; a living socket has one in ten seconds
/// TLS handshakes begun in one second, so that a crowd that comes at once leaves time to those inside.
constexpr int kHandshakesPerSecond = 800;
constexpr int kHandshakesAtOnce = 100;

auto into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

core::IpAddress to_ip(const asio::ip::address& address) {
  core::IpAddress ip;
  const asio::ip::address_v6::bytes_type bytes =
      address.is_v4() ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes()
                      : address.to_v6().to_bytes();
  std::copy(bytes.begin(), bytes.end(), ip.bytes.begin());
  return ip;
}

core::Duration time_to_take(size_t bytes) {
  return kStrangerTime + core::Duration::millis(static_cast<int64_t>(bytes * 1000 / kSlowestReader));
}

}  // namespace

/// One open WebSocket: its stream and what waits to be written.
struct OpenSocket {
  OpenSocket(TlsSocket&& tls, asio::io_context& context, PlaceId p)
      : stream(std::move(tls)), wake(context), place(p) {
    wake.expires_at(asio::steady_timer::time_point::max());
  }
  SocketStream stream;
  asio::steady_timer wake;  ///< cancelled when there is something to write
  PlaceId place;
  std::deque<SharedText> outgoing;
  size_t outgoing_bytes = 0;
  TokenBucket control_frames{kControlFrames};
  std::optional<CloseCode> closing;
  bool gone = false;
};

struct HttpsServer::Impl : std::enable_shared_from_this<HttpsServer::Impl> {
  Impl(IoLoop& io_loop, Metrics& m, HttpsConfig c)
      : context(io_loop.context()),
        metrics(m),
        config(std::move(c)),
        door({config.connections, config.connections_per_address, kStrangerTime}),
        acceptor(context),
        sweep_timer(io_loop) {}

  awaitable<void> accept_loop();
  awaitable<void> serve(TlsSocket stream, PlaceId place, core::IpAddress from);
  awaitable<bool> shake_hands(TlsSocket& stream, std::shared_ptr<asio::ssl::context> identity);
  awaitable<void> serve_http(TlsSocket stream, PlaceId place, core::IpAddress from);
  awaitable<HttpReply> ask(HttpRequest request);
  awaitable<bool> write_reply(TlsSocket& stream, PlaceId place, const HttpRequest& asked, HttpReply reply,
                              bool keep_alive);
  awaitable<void> serve_socket(TlsSocket stream, PlaceId place, BeastRequest upgrade, core::IpAddress from);
  awaitable<void> read_socket(SocketId id, std::shared_ptr<OpenSocket> socket);
  awaitable<void> write_socket(std::shared_ptr<OpenSocket> socket);

  std::optional<PlaceId> take_place(const core::IpAddress& from);
  void give_place_back(PlaceId place);
  void cut(PlaceId place);
  void sweep();
  core::Duration wait_for_handshake();
  void count_places();
  void count_control_frame(OpenSocket& socket);

  asio::io_context& context;
  Metrics& metrics;
  HttpsConfig config;
  RequestHandler on_request;
  SocketHandler* sockets = nullptr;  ///< null again once the server is being destroyed
  Door door;
  tcp::acceptor acceptor;
  LoopTimer sweep_timer;
  std::shared_ptr<asio::ssl::context> tls;
  std::unordered_map<SocketId, std::shared_ptr<OpenSocket>> open;
  std::unordered_map<PlaceId, std::weak_ptr<TlsConnection>> connections;
  core::Instant next_handshake;
  uint64_t next_socket = 1;
  bool stopping = false;
};

std::optional<PlaceId> HttpsServer::Impl::take_place(const core::IpAddress& from) {
  const std::optional<Door::Admission> admission =
      stopping ? std::nullopt : door.admit(net::monotonic_now(), from);
  if (!admission) {
    metrics.add(Metric::ConnectionsRefused);
    return std::nullopt;
  }
  if (admission->to_close) {
    metrics.add(Metric::ConnectionsCrowdedOut);
    cut(*admission->to_close);
  }
  metrics.add(Metric::ConnectionsAccepted);
  count_places();
  return admission->place;
}

void HttpsServer::Impl::give_place_back(PlaceId place) {
  door.leave(place);
  connections.erase(place);
  count_places();
}

void HttpsServer::Impl::count_places() {
  metrics.set(Metric::ConnectionsOpen, door.size());
  metrics.set(Metric::ConnectionsStrange, door.strangers());
}

void HttpsServer::Impl::cut(PlaceId place) {
  const auto at = connections.find(place);
  if (at == connections.end()) return;
  if (const std::shared_ptr<TlsConnection> connection = at->second.lock()) connection->close();
}

void HttpsServer::Impl::sweep() {
  const core::Instant now = net::monotonic_now();
  for (const PlaceId place : door.take_overdue(now)) {
    metrics.add(Metric::ConnectionsOverdue);
    cut(place);
  }
  count_places();
  sweep_timer.set(now + kSweep, [this] { sweep(); });
}

awaitable<void> HttpsServer::Impl::accept_loop() {
  const std::shared_ptr<Impl> self = shared_from_this();
  asio::steady_timer pause(context);
  while (acceptor.is_open()) {
    error_code error;
    tcp::socket socket = co_await acceptor.async_accept(into(error));
    if (error == asio::error::operation_aborted || stopping) co_return;
    if (error) {
      // Out of descriptors, most likely: waiting lets others close.
      logger().warn("accept failed", {{"error", error.message()}});
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(into(error));
      continue;
    }
    const tcp::endpoint remote = socket.remote_endpoint(error);
    if (error) continue;
    const core::IpAddress from = to_ip(remote.address());
    const std::optional<PlaceId> place = take_place(from);
    if (!place) continue;
    socket.set_option(tcp::no_delay(true), error);
    TlsSocket stream(std::move(socket));
    connections[*place] = stream.connection();
    asio::co_spawn(context, serve(std::move(stream), *place, from), asio::detached);
  }
}

awaitable<void> HttpsServer::Impl::serve(TlsSocket stream, PlaceId place, core::IpAddress from) {
  const std::shared_ptr<Impl> self = shared_from_this();
  const std::shared_ptr<asio::ssl::context> identity = tls;
  const bool safe = co_await shake_hands(stream, identity);
  if (safe) {
    co_await serve_http(std::move(stream), place, from);
  } else {
    metrics.add(Metric::TlsFailed);
  }
  give_place_back(place);
}

awaitable<bool> HttpsServer::Impl::shake_hands(TlsSocket& stream,
                                               std::shared_ptr<asio::ssl::context> identity) {
  error_code error;
  co_await stream.async_hello(into(error));
  if (error) co_return false;
  if (const core::Duration wait = wait_for_handshake(); wait > core::Duration()) {
    asio::steady_timer turn(context, std::chrono::nanoseconds(wait.to_nanos()));
    co_await turn.async_wait(into(error));
  }
  co_await stream.async_handshake(identity->native_handle(), into(error));
  co_return !error;
}

/// Evenly spaced turns, with some to spare after a quiet time.
core::Duration HttpsServer::Impl::wait_for_handshake() {
  constexpr core::Duration kSpacing = core::Duration::seconds(1) / kHandshakesPerSecond;
  const core::Instant now = net::monotonic_now();
  next_handshake = std::max(next_handshake, now - kSpacing * kHandshakesAtOnce) + kSpacing;
  return next_handshake - now;
}

awaitable<void> HttpsServer::Impl::serve_http(TlsSocket stream, PlaceId place, core::IpAddress from) {
  beast::flat_buffer buffer(kMaxHeader + kMaxBody);
  const HttpRequest not_asked;  // a named one: gcc 12 destroys temporaries of a co_await twice
  const std::shared_ptr<asio::ssl::context> identity = tls;
  while (!stopping) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(kMaxHeader);
    parser.body_limit(kMaxBody);
    error_code error;
    co_await http::async_read_header(stream, buffer, parser, into(error));
    if (!error && !websocket::is_upgrade(parser.get()))
      co_await http::async_read(stream, buffer, parser, into(error));
    std::optional<HttpReply> refused =
        error ? reply_to_broken(error)
              : refuse_request(parser.get(), SSL_CTX_get0_certificate(identity->native_handle()));
    if (error && !refused) break;
    const bool upgrade = !error && websocket::is_upgrade(parser.get());
    if (upgrade && !refused) refused = refuse_upgrade(parser.get());
    if (refused) {
      metrics.add(Metric::HttpRefused);
      co_await write_reply(stream, place, not_asked, std::move(*refused), false);
      break;
    }
    metrics.add(Metric::HttpRequests);
    BeastRequest message = parser.release();
    if (upgrade) {
      co_await serve_socket(std::move(stream), place, std::move(message), from);
      co_return;
    }
    const bool keep_alive = message.keep_alive();
    HttpRequest request = to_request(std::move(message), from);
    door.set_deadline(place, net::monotonic_now() + kAnswerTime);
    HttpReply reply = co_await ask(request);
    if (reply.status >= 400) metrics.add(Metric::HttpRefused);
    const bool written = co_await write_reply(stream, place, request, std::move(reply), keep_alive);
    if (!written || !keep_alive) break;
    door.set_deadline(place, net::monotonic_now() + kStrangerTime);
  }
  error_code ignored;
  co_await stream.async_drain(into(ignored));
}

awaitable<HttpReply> HttpsServer::Impl::ask(HttpRequest request) {
  // The reply may come at once or later; a timer without an end is the thing that is waited on.
  struct Pending {
    explicit Pending(asio::io_context& io) : done(io, asio::steady_timer::time_point::max()) {}
    asio::steady_timer done;
    std::optional<HttpReply> reply;
  };
  const auto pending = std::make_shared<Pending>(context);
  on_request(std::move(request), [pending](HttpReply reply) {
    pending->reply = std::move(reply);
    pending->done.cancel();
  });
  if (!pending->reply) {
    pending->done.expires_after(std::chrono::nanoseconds(kAnswerTime.to_nanos()));
    error_code ignored;
    co_await pending->done.async_wait(into(ignored));
  }
  if (pending->reply) co_return std::move(*pending->reply);
  HttpReply late = text_reply(504, "text/plain; charset=utf-8", "no answer in time\n");
  co_return late;
}

awaitable<bool> HttpsServer::Impl::write_reply(TlsSocket& stream, PlaceId place, const HttpRequest& asked,
                                               HttpReply reply, bool keep_alive) {
  using Body = http::span_body<const uint8_t>;
  http::response<Body> message;
  message.version(11);
  message.result(reply.status);
  for (const auto& [name, value] : reply.fields) message.insert(name, value);
  for (const auto& [name, value] : security_headers(asked.host)) message.set(name, value);
  const core::Bytes content = reply.embedded.empty() ? core::as_bytes(reply.body) : reply.embedded;
  message.keep_alive(keep_alive);
  door.set_deadline(place, net::monotonic_now() + time_to_take(content.size()));
  error_code error;
  if (asked.method == HttpMethod::Head || reply.status == 304 || reply.status == 204) {
    http::response<http::empty_body> bare(message.base());
    bare.keep_alive(keep_alive);
    if (asked.method == HttpMethod::Head) bare.content_length(content.size());
    co_await http::async_write(stream, bare, into(error));
  } else {
    message.body() = beast::span<const uint8_t>(content.data(), content.size());
    message.content_length(content.size());
    co_await http::async_write(stream, message, into(error));
  }
  co_return !error;
}

awaitable<void> HttpsServer::Impl::serve_socket(TlsSocket stream, PlaceId place, BeastRequest upgrade,
                                                core::IpAddress from) {
  const auto socket = std::make_shared<OpenSocket>(std::move(stream), context, place);
  SocketStream& ws = socket->stream;
  websocket::stream_base::timeout times{};
  times.handshake_timeout = kHandshakeTime;
  times.idle_timeout = kSocketSilence;
  times.keep_alive_pings = true;
  ws.set_option(times);
  websocket::permessage_deflate deflate;
  deflate.server_enable = true;
  deflate.server_max_window_bits = 13;
  deflate.client_max_window_bits = 15;
  deflate.compLevel = 4;
  deflate.memLevel = 6;
  deflate.msg_size_threshold = 256;
  ws.set_option(deflate);
  ws.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
    response.set(http::field::sec_websocket_protocol, std::string(kSubprotocol));
  }));
  ws.read_message_max(kMaxSocketMessage);
  ws.auto_fragment(false);
  ws.control_callback([this, bare = socket.get()](websocket::frame_type kind, beast::string_view) {
    if (kind != websocket::frame_type::close) count_control_frame(*bare);
  });
  error_code error;
  co_await ws.async_accept(upgrade, into(error));
  if (error || stopping || sockets == nullptr) co_return;
  ws.text(true);
  const SocketId id(next_socket++);
  open.emplace(id, socket);
  metrics.set(Metric::SocketsOpen, open.size());
  sockets->handle_open(id, from);
  asio::co_spawn(context, write_socket(socket), asio::detached);
  co_await read_socket(id, socket);
  socket->gone = true;
  socket->wake.cancel();
  open.erase(id);
  metrics.set(Metric::SocketsOpen, open.size());
  if (sockets != nullptr) sockets->handle_closed(id);
}

void HttpsServer::Impl::count_control_frame(OpenSocket& socket) {
  if (socket.control_frames.try_take(net::monotonic_now()) || socket.closing) return;
  metrics.add(Metric::SocketsAbusive);
  socket.closing = CloseCode::PolicyViolation;
  socket.wake.cancel();
}

awaitable<void> HttpsServer::Impl::read_socket(SocketId id, std::shared_ptr<OpenSocket> socket) {
  const std::shared_ptr<Impl> self = shared_from_this();
  beast::flat_buffer buffer(kMaxSocketMessage);
  for (;;) {
    error_code error;
    co_await socket->stream.async_read(buffer, into(error));
    if (error) {
      const bool abusive =
          error == websocket::error::message_too_big || error == websocket::error::buffer_overflow;
      if (abusive) metrics.add(Metric::SocketsAbusive);
      logger().debug("socket ended", {{"socket", id.value()}, {"why", error.message()}});
      co_return;
    }
    metrics.add(Metric::SocketMessagesIn);
    const std::string_view text(static_cast<const char*>(buffer.data().data()), buffer.data().size());
    if (sockets == nullptr) co_return;
    if (!socket->closing) sockets->handle_text(id, text);
    buffer.consume(buffer.size());
    if (buffer.capacity() > 64 * 1024) buffer.shrink_to_fit();
  }
}

awaitable<void> HttpsServer::Impl::write_socket(std::shared_ptr<OpenSocket> socket) {
  const std::shared_ptr<Impl> self = shared_from_this();
  error_code error;
  while (!socket->gone) {
    if (socket->outgoing.empty()) {
      if (socket->closing) break;
      co_await socket->wake.async_wait(into(error));
      continue;
    }
    const SharedText text = std::move(socket->outgoing.front());
    socket->outgoing.pop_front();
    co_await socket->stream.async_write(asio::buffer(*text), into(error));
    socket->outgoing_bytes -= text->size();
    if (error) co_return;
    metrics.add(Metric::SocketMessagesOut);
    metrics.add(Metric::SocketBytesOut, text->size());
  }
  if (!socket->closing || socket->gone) co_return;
  const websocket::close_reason reason(static_cast<uint16_t>(*socket->closing));
  co_await socket->stream.async_close(reason, into(error));
}

HttpsServer::HttpsServer(IoLoop& loop, Metrics& metrics, HttpsConfig config)
    : impl_(std::make_shared<Impl>(loop, metrics, std::move(config))) {}

void HttpsServer::attach(RequestHandler on_request, SocketHandler& sockets) {
  impl_->on_request = std::move(on_request);
  impl_->sockets = &sockets;
}

HttpsServer::~HttpsServer() {
  begin_shutdown();
  impl_->sweep_timer.cancel();
  impl_->sockets = nullptr;
}

core::Result<void, core::Failure> HttpsServer::use_identity(const TlsIdentity& identity) {
  auto made = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  SSL_CTX* raw = made->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_mode(
      raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  // Sessions are resumed by tickets that the client keeps; a cache here would grow with every stranger.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  made->use_certificate_chain(asio::buffer(identity.chain_pem), error);
  if (error) return core::err(core::Failure{error, "use certificate"});
  made->use_private_key(asio::buffer(identity.key_pem), asio::ssl::context::pem, error);
  if (error) return core::err(core::Failure{error, "use private key"});
  impl_->tls = std::move(made);
  return {};
}

core::Result<void, core::Failure> HttpsServer::listen(const TlsIdentity& identity) {
  if (core::Result<void, core::Failure> done = use_identity(identity); !done) return done;
  const HttpsConfig& config = impl_->config;
  const std::string where = "listen on " + config.bind_address + " port " + std::to_string(config.port);
  error_code error;
  const tcp::endpoint endpoint(asio::ip::make_address(config.bind_address, error), config.port);
  if (error) return core::err(core::Failure{error, where});
  tcp::acceptor& acceptor = impl_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(4096, error);
  if (error) return core::err(core::Failure{error, where});
  asio::co_spawn(impl_->context, impl_->accept_loop(), asio::detached);
  impl_->sweep();
  return {};
}

uint16_t HttpsServer::port() const {
  error_code ignored;
  return impl_->acceptor.local_endpoint(ignored).port();
}

size_t HttpsServer::open_connections() const { return impl_->door.size(); }

void HttpsServer::begin_shutdown() {
  impl_->stopping = true;
  error_code ignored;
  impl_->acceptor.close(ignored);
  for (const auto& [id, socket] : impl_->open) close(id, CloseCode::GoingAway);
}

void HttpsServer::send(SocketId id, SharedText text) {
  const auto at = impl_->open.find(id);
  if (at == impl_->open.end() || at->second->closing) return;
  OpenSocket& socket = *at->second;
  if (socket.outgoing_bytes > 0 && socket.outgoing_bytes + text->size() > kMaxOutgoing) {
    impl_->metrics.add(Metric::SocketsTooSlow);
    socket.outgoing.clear();
    socket.closing = CloseCode::TooSlow;
    // The peer reads nothing, so a closing handshake would wait as long as it likes.
    socket.stream.next_layer().close();
    return;
  }
  socket.outgoing_bytes += text->size();
  socket.outgoing.push_back(std::move(text));
  socket.wake.cancel();
}

void HttpsServer::close(SocketId id, CloseCode code) {
  const auto at = impl_->open.find(id);
  if (at == impl_->open.end() || at->second->closing) return;
  at->second->closing = code;
  at->second->wake.cancel();
}

void HttpsServer::set_standing(SocketId id, Standing standing) {
  const auto at = impl_->open.find(id);
  if (at == impl_->open.end()) return;
  impl_->door.set_standing(at->second->place, standing);
  impl_->count_places();
}

}  // namespace huitang::api
