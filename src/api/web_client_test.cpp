#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <sstream>

#include "api/web_client_for_test.h"

namespace huitang::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using boost::system::error_code;
using TlsStream = boost::asio::ssl::stream<beast::tcp_stream>;

struct Connection {
  explicit Connection(const WebTarget& target) : tls(asio::ssl::context::tls_client) {
    tls.add_certificate_authority(asio::buffer(target.ca_pem));
    tls.set_verify_mode(asio::ssl::verify_peer);
    tls.set_verify_callback(asio::ssl::host_name_verification("127.0.0.1"));
  }
  bool open(TlsStream& stream, uint16_t port) {
    error_code error;
    beast::get_lowest_layer(stream).connect({asio::ip::make_address("127.0.0.1"), port}, error);
    if (!error) stream.handshake(asio::ssl::stream_base::client, error);
    return !error;
  }
  asio::io_context io;
  asio::ssl::context tls;
};

WebReply exchange(const WebTarget& target, http::request<http::string_body> request,
                  const WebHeaders& headers) {
  Connection connection(target);
  TlsStream stream(connection.io, connection.tls);
  if (!connection.open(stream, target.port)) return {};
  request.set(http::field::host, "127.0.0.1:" + std::to_string(target.port));
  for (const auto& [name, value] : headers) request.set(name, value);
  request.prepare_payload();
  error_code error;
  http::write(stream, request, error);
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  http::read(stream, buffer, response, error);
  WebReply reply;
  if (error) return reply;
  reply.status = response.result_int();
  reply.body = response.body();
  std::ostringstream fields;
  for (const auto& field : response) fields << field.name_string() << ": " << field.value() << "\n";
  reply.headers = fields.str();
  return reply;
}

}  // namespace

WebReply web_get(const WebTarget& target, const std::string& path, const WebHeaders& headers) {
  return exchange(target, {http::verb::get, path, 11}, headers);
}

WebReply web_post(const WebTarget& target, const std::string& path, const std::string& type,
                  const std::string& body, const WebHeaders& headers) {
  http::request<http::string_body> request{http::verb::post, path, 11};
  request.set(http::field::content_type, type);
  request.body() = body;
  return exchange(target, std::move(request), headers);
}

struct WebSocketClient::Impl : Connection {
  explicit Impl(const WebTarget& target) : Connection(target), stream(io, tls) {}
  websocket::stream<TlsStream> stream;
  bool is_open = false;
  unsigned refusal = 0;
};

WebSocketClient::WebSocketClient(const WebTarget& target, const Options& options)
    : impl_(std::make_unique<Impl>(target)) {
  if (!impl_->open(impl_->stream.next_layer(), target.port)) return;
  websocket::permessage_deflate deflate;
  deflate.client_enable = options.compress;
  impl_->stream.set_option(deflate);
  impl_->stream.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
    if (!options.subprotocol.empty()) request.set(http::field::sec_websocket_protocol, options.subprotocol);
    if (!options.origin.empty()) request.set(http::field::origin, options.origin);
  }));
  websocket::response_type response;
  error_code error;
  impl_->stream.handshake(response, "127.0.0.1:" + std::to_string(target.port), options.path, error);
  impl_->is_open = !error;
  impl_->refusal = error ? response.result_int() : 0;
  impl_->stream.text(true);
  impl_->stream.read_message_max(0);
}

WebSocketClient::~WebSocketClient() = default;

bool WebSocketClient::is_open() const { return impl_->is_open; }
unsigned WebSocketClient::refusal() const { return impl_->refusal; }

bool WebSocketClient::send(std::string_view text) {
  error_code error;
  impl_->stream.write(asio::buffer(text.data(), text.size()), error);
  return !error;
}

bool WebSocketClient::send_raw(std::string_view bytes) {
  error_code error;
  asio::write(impl_->stream.next_layer(), asio::buffer(bytes.data(), bytes.size()), error);
  return !error;
}

std::optional<std::string> WebSocketClient::read() {
  beast::flat_buffer buffer;
  error_code error;
  impl_->stream.read(buffer, error);
  if (error) return std::nullopt;
  return beast::buffers_to_string(buffer.data());
}

std::optional<std::string> WebSocketClient::read_until(std::string_view text) {
  for (;;) {
    std::optional<std::string> message = read();
    if (!message || message->find(text) != std::string::npos) return message;
  }
}

unsigned WebSocketClient::read_close() {
  while (read()) {
  }
  return impl_->stream.reason().code;
}

}  // namespace huitang::api
