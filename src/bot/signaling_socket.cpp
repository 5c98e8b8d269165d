#include "bot/signaling_socket.h"

#include <google/protobuf/util/json_util.h>
#include <openssl/ssl.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <deque>
#include <utility>

namespace huitang::bot {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;

namespace {
constexpr const char* kSubprotocol = "huitang.v1";
constexpr const char* kPath = "/ws";
constexpr auto kConnectTime = std::chrono::seconds(10);
}  // namespace

/// Lives on in pending callbacks; `handlers` is emptied when nobody wants to hear of it any more.
struct SignalingSocket::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, SignalingUrl u, const SignalingTrust& trust, Handlers h)
      : url(std::move(u)),
        handlers(std::move(h)),
        tls(asio::ssl::context::tls_client),
        resolver(context),
        stream(context, prepare(tls, trust)) {
    if (!trust.accepts_anyone) {
      stream.next_layer().set_verify_callback(asio::ssl::host_name_verification(url.host));
    }
  }

  static asio::ssl::context& prepare(asio::ssl::context& tls, const SignalingTrust& trust) {
    boost::system::error_code ignored;  // an unreadable file shows as a certificate that is not trusted
    tls.set_verify_mode(trust.accepts_anyone ? asio::ssl::verify_none : asio::ssl::verify_peer, ignored);
    if (!trust.ca_file.empty()) {
      tls.load_verify_file(trust.ca_file, ignored);
    } else if (!trust.accepts_anyone) {
      tls.set_default_verify_paths(ignored);
    }
    return tls;
  }

  void connect() {
    resolver.async_resolve(url.host, url.port, [self = shared_from_this()](auto error, auto results) {
      if (error) return self->fail("resolve", error);
      beast::get_lowest_layer(self->stream).expires_after(kConnectTime);
      beast::get_lowest_layer(self->stream).async_connect(results, [self](auto e, const auto&) {
        self->secure(e);
      });
    });
  }

  void secure(const boost::system::error_code& error) {
    if (error) return fail("connect", error);
    // SSL_set_tlsext_host_name without its cast.
    SSL_ctrl(stream.next_layer().native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             url.host.data());
    stream.next_layer().async_handshake(asio::ssl::stream_base::client,
                                        [self = shared_from_this()](auto e) { self->upgrade(e); });
  }

  void upgrade(const boost::system::error_code& error) {
    if (error) return fail("TLS handshake", error);
    beast::get_lowest_layer(stream).expires_never();
    stream.set_option(websocket::stream_base::timeout::suggested(beast::role_type::client));
    websocket::permessage_deflate deflate;
    deflate.client_enable = true;
    stream.set_option(deflate);
    stream.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
      request.set(beast::http::field::sec_websocket_protocol, kSubprotocol);
    }));
    stream.read_message_max(kMaxMessage);
    const std::string host = url.port == "443" ? url.host : url.host + ":" + url.port;
    stream.async_handshake(host, kPath, [self = shared_from_this()](auto e) {
      if (e) return self->fail("WebSocket handshake", e);
      self->is_open = true;
      if (self->handlers.on_open) self->handlers.on_open();
      self->read();
      self->write();
    });
  }

  void read() {
    stream.async_read(incoming, [self = shared_from_this()](auto error, size_t) {
      if (error) return self->fail("read", error);
      const auto data = self->incoming.cdata();
      v1::ServerMessage message;
      google::protobuf::util::JsonParseOptions options;
      options.ignore_unknown_fields = true;
      const bool is_sound = google::protobuf::util::JsonStringToMessage(
                                {static_cast<const char*>(data.data()), data.size()}, &message, options)
                                .ok();
      self->incoming.consume(self->incoming.size());
      if (is_sound && self->handlers.on_message) self->handlers.on_message(message);
      self->read();
    });
  }

  void write() {
    if (!is_open || is_writing) return;
    if (outgoing.empty()) {
      if (is_closing) {
        is_open = false;
        stream.async_close(websocket::close_code::normal,
                           [self = shared_from_this()](auto e) { self->fail("closed", e); });
      }
      return;
    }
    is_writing = true;
    stream.text(true);
    stream.async_write(asio::buffer(outgoing.front()), [self = shared_from_this()](auto error, size_t) {
      if (error) return self->fail("write", error);
      self->is_writing = false;
      self->outgoing.pop_front();
      self->write();
    });
  }

  void fail(const char* what, const boost::system::error_code& error) {
    const auto told = std::exchange(handlers, {});
    is_open = false;
    if (told.on_closed) told.on_closed(std::string(what) + ": " + error.message());
  }

  SignalingUrl url;
  Handlers handlers;
  asio::ssl::context tls;
  tcp::resolver resolver;
  websocket::stream<asio::ssl::stream<beast::tcp_stream>> stream;
  beast::flat_buffer incoming;
  std::deque<std::string> outgoing;
  bool is_open = false;
  bool is_writing = false;
  bool is_closing = false;
};

SignalingSocket::SignalingSocket(asio::io_context& context, const SignalingUrl& url,
                                 const SignalingTrust& trust, Handlers handlers)
    : state_(std::make_shared<State>(context, url, trust, std::move(handlers))) {
  state_->connect();
}

SignalingSocket::~SignalingSocket() {
  state_->handlers = {};
  boost::system::error_code ignored;
  beast::get_lowest_layer(state_->stream).socket().close(ignored);
}

void SignalingSocket::send(const v1::ClientMessage& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) return;
  state_->outgoing.push_back(std::move(text));
  state_->write();
}

void SignalingSocket::close() {
  state_->is_closing = true;
  state_->write();
}

}  // namespace huitang::bot
