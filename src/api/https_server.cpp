#include "api/https_server.h"

#include <openssl/ssl.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <deque>
#include <unordered_map>

#include "api/log.h"
#include "api/security_headers.h"

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

using TlsStream = boost::asio::ssl::stream<beast::tcp_stream>;
using SocketStream = websocket::stream<TlsStream>;

constexpr seconds kHandshakeTime{10};
constexpr seconds kRequestTime{30};
constexpr seconds kIdleTime{75};
constexpr seconds kSocketSilence{20};
constexpr uint32_t kMaxHeader = 16 * 1024;

auto into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

core::IpAddress to_ip(const asio::ip::address& address) {
  core::IpAddress ip;
  const asio::ip::address_v6::bytes_type bytes =
      address.is_v4() ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes()
                      : address.to_v6().to_bytes();
  std::copy(bytes.begin(), bytes.end(), ip.bytes.begin());
  return ip;
}

std::string text_of(const http::fields& fields, http::field name) {
  const auto at = fields.find(name);
  return at == fields.end() ? std::string() : std::string(at->value());
}

HttpMethod to_method(http::verb verb) {
  if (verb == http::verb::get) return HttpMethod::Get;
  if (verb == http::verb::head) return HttpMethod::Head;
  if (verb == http::verb::post) return HttpMethod::Post;
  return HttpMethod::Other;
}

HttpRequest to_request(http::request<http::string_body>&& message, const core::IpAddress& from) {
  HttpRequest request;
  const std::string_view target(message.target().data(), message.target().size());
  const size_t mark = target.find('?');
  request.method = to_method(message.method());
  request.path = std::string(target.substr(0, mark));
  if (mark != std::string_view::npos) request.query = std::string(target.substr(mark + 1));
  request.from = from;
  request.host = text_of(message, http::field::host);
  request.origin = text_of(message, http::field::origin);
  request.authorization = text_of(message, http::field::authorization);
  request.cookie = text_of(message, http::field::cookie);
  request.accept_encoding = text_of(message, http::field::accept_encoding);
  request.accept_language = text_of(message, http::field::accept_language);
  request.content_type = text_of(message, http::field::content_type);
  request.if_none_match = text_of(message, http::field::if_none_match);
  request.body = std::move(message.body());
  return request;
}

/// Absent: the upgrade may go on; otherwise why not.
std::optional<HttpReply> refuse_upgrade(const http::request<http::string_body>& message) {
  if (message.target() != "/ws")
    return text_reply(404, "text/plain; charset=utf-8", "there is no socket here\n");
  const std::string origin = text_of(message, http::field::origin);
  // Programs send no Origin; a browser always does, and must come from our own pages.
  if (!origin.empty() && origin != "https://" + text_of(message, http::field::host))
    return text_reply(403, "text/plain; charset=utf-8", "the page that asked is not from here\n");
  http::token_list offered(message[http::field::sec_websocket_protocol]);
  if (!offered.exists(kSubprotocol))
    return text_reply(400, "text/plain; charset=utf-8",
                      "this socket speaks the subprotocol huitang.v1 only\n");
  return std::nullopt;
}

}  // namespace

/// One open WebSocket: its stream and what waits to be written.
struct OpenSocket {
  OpenSocket(TlsStream&& tls, asio::io_context& context) : stream(std::move(tls)), wake(context) {
    wake.expires_at(asio::steady_timer::time_point::max());
  }
  SocketStream stream;
  asio::steady_timer wake;  ///< cancelled when there is something to write
  std::deque<SharedText> outgoing;
  size_t outgoing_bytes = 0;
  std::optional<CloseCode> closing;
  Standing standing = Standing::Stranger;
  bool gone = false;
};

struct HttpsServer::Impl : std::enable_shared_from_this<HttpsServer::Impl> {
  Impl(IoLoop& io_loop, Metrics& m, HttpsConfig c)
      : context(io_loop.context()), metrics(m), config(std::move(c)), acceptor(context) {}

  awaitable<void> accept_loop();
  awaitable<void> serve(tcp::socket socket, core::IpAddress from);
  awaitable<void> serve_http(TlsStream stream, core::IpAddress from);
  awaitable<HttpReply> ask(HttpRequest request);
  awaitable<bool> write_reply(TlsStream& stream, const HttpRequest& asked, HttpReply reply, bool keep_alive);
  awaitable<void> serve_socket(TlsStream stream, http::request<http::string_body> upgrade,
                               core::IpAddress from);
  awaitable<void> read_socket(SocketId id, std::shared_ptr<OpenSocket> socket);
  awaitable<void> write_socket(std::shared_ptr<OpenSocket> socket);

  bool take_place(const core::IpAddress& from);
  void give_place_back(const core::IpAddress& from);

  asio::io_context& context;
  Metrics& metrics;
  HttpsConfig config;
  RequestHandler on_request;
  SocketHandler* sockets = nullptr;  ///< null again once the server is being destroyed
  tcp::acceptor acceptor;
  std::shared_ptr<asio::ssl::context> tls;
  std::unordered_map<SocketId, std::shared_ptr<OpenSocket>> open;
  std::unordered_map<core::SocketAddress, size_t> places;  ///< connections by address (port 0)
  size_t connections = 0;
  uint64_t next_socket = 1;
  bool stopping = false;
};

bool HttpsServer::Impl::take_place(const core::IpAddress& from) {
  size_t& here = places[{from, 0}];
  if (stopping || connections >= config.connections || here >= config.connections_per_address) {
    if (here == 0) places.erase({from, 0});
    metrics.add(Metric::ConnectionsRefused);
    return false;
  }
  ++here;
  ++connections;
  metrics.add(Metric::ConnectionsAccepted);
  metrics.set(Metric::ConnectionsOpen, connections);
  return true;
}

void HttpsServer::Impl::give_place_back(const core::IpAddress& from) {
  const auto at = places.find({from, 0});
  if (at != places.end() && --at->second == 0) places.erase(at);
  metrics.set(Metric::ConnectionsOpen, --connections);
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
    if (!take_place(from)) continue;
    socket.set_option(tcp::no_delay(true), error);
    asio::co_spawn(context, serve(std::move(socket), from), asio::detached);
  }
}

awaitable<void> HttpsServer::Impl::serve(tcp::socket socket, core::IpAddress from) {
  const std::shared_ptr<Impl> self = shared_from_this();
  const std::shared_ptr<asio::ssl::context> identity = tls;
  TlsStream stream(beast::tcp_stream(std::move(socket)), *identity);
  beast::get_lowest_layer(stream).expires_after(kHandshakeTime);
  error_code error;
  co_await stream.async_handshake(asio::ssl::stream_base::server, into(error));
  if (error) {
    metrics.add(Metric::TlsFailed);
  } else {
    co_await serve_http(std::move(stream), from);
  }
  give_place_back(from);
}

awaitable<void> HttpsServer::Impl::serve_http(TlsStream stream, core::IpAddress from) {
  beast::flat_buffer buffer(kMaxHeader + kMaxBody);
  const HttpRequest not_asked;  // a named one: gcc 12 destroys temporaries of a co_await twice
  bool first = true;
  while (!stopping) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(kMaxHeader);
    parser.body_limit(kMaxBody);
    error_code error;
    beast::get_lowest_layer(stream).expires_after(first ? kHandshakeTime : kIdleTime);
    first = false;
    co_await http::async_read_header(stream, buffer, parser, into(error));
    beast::get_lowest_layer(stream).expires_after(kRequestTime);
    if (!error && !websocket::is_upgrade(parser.get()))
      co_await http::async_read(stream, buffer, parser, into(error));
    if (error == http::error::body_limit || error == http::error::header_limit) {
      metrics.add(Metric::HttpRefused);
      HttpReply too_big = text_reply(413, "text/plain; charset=utf-8", "the request is too large\n");
      co_await write_reply(stream, not_asked, std::move(too_big), false);
      break;
    }
    if (error) break;
    http::request<http::string_body> message = parser.release();
    metrics.add(Metric::HttpRequests);
    const bool upgrade = websocket::is_upgrade(message);
    if (upgrade) {
      std::optional<HttpReply> refused = refuse_upgrade(message);
      if (!refused) {
        co_await serve_socket(std::move(stream), std::move(message), from);
        co_return;
      }
      metrics.add(Metric::HttpRefused);
      co_await write_reply(stream, not_asked, std::move(*refused), false);
      break;
    }
    const bool keep_alive = message.keep_alive();
    HttpRequest request = to_request(std::move(message), from);
    HttpReply reply = co_await ask(request);
    if (reply.status >= 400) metrics.add(Metric::HttpRefused);
    const bool written = co_await write_reply(stream, request, std::move(reply), keep_alive);
    if (!written || !keep_alive) break;
  }
  error_code ignored;
  beast::get_lowest_layer(stream).expires_after(kHandshakeTime);
  co_await stream.async_shutdown(into(ignored));
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
    pending->done.expires_after(kRequestTime);
    error_code ignored;
    co_await pending->done.async_wait(into(ignored));
  }
  if (pending->reply) co_return std::move(*pending->reply);
  HttpReply late = text_reply(504, "text/plain; charset=utf-8", "no answer in time\n");
  co_return late;
}

awaitable<bool> HttpsServer::Impl::write_reply(TlsStream& stream, const HttpRequest& asked, HttpReply reply,
                                               bool keep_alive) {
  using Body = http::span_body<const uint8_t>;
  http::response<Body> message;
  message.version(11);
  message.result(reply.status);
  for (const auto& [name, value] : reply.fields) message.insert(name, value);
  for (const auto& [name, value] : security_headers(asked.host)) message.set(name, value);
  const core::Bytes content = reply.embedded.empty() ? core::as_bytes(reply.body) : reply.embedded;
  message.keep_alive(keep_alive);
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

awaitable<void> HttpsServer::Impl::serve_socket(TlsStream stream, http::request<http::string_body> upgrade,
                                                core::IpAddress from) {
  const auto socket = std::make_shared<OpenSocket>(std::move(stream), context);
  SocketStream& ws = socket->stream;
  beast::get_lowest_layer(ws).expires_never();
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
  impl_->sockets = nullptr;
}

core::Result<void, core::Failure> HttpsServer::use_identity(const TlsIdentity& identity) {
  auto made = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  SSL_CTX* raw = made->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
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
  if (!error) acceptor.listen(1024, error);
  if (error) return core::err(core::Failure{error, where});
  asio::co_spawn(impl_->context, impl_->accept_loop(), asio::detached);
  return {};
}

uint16_t HttpsServer::port() const {
  error_code ignored;
  return impl_->acceptor.local_endpoint(ignored).port();
}

size_t HttpsServer::open_connections() const { return impl_->connections; }

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
    beast::get_lowest_layer(socket.stream).close();
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
  if (at != impl_->open.end()) at->second->standing = standing;
}

}  // namespace huitang::api
