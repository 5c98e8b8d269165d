#include "api/local_access.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <memory>

#include "api/file_util.h"
#include "crypto/system_random.h"

namespace huitang::api {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

constexpr uint64_t kMaxBody = 64 << 20;  // a snapshot of a large box

std::string token_path(const std::string& data) { return data + "/local.token"; }

bool shows(SSL* tls, const std::string& der) {
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(tls), &X509_free);
  if (!shown) return false;
  std::string bytes(static_cast<size_t>(std::max(i2d_X509(shown.get(), nullptr), 0)), '\0');
  auto* at = reinterpret_cast<unsigned char*>(bytes.data());
  i2d_X509(shown.get(), &at);
  return bytes == der;
}

/// One request and its answer; each step goes on from the one before.
class Call {
 public:
  Call(const LocalTarget& target, const std::string& path, const std::string& body)
      : target_(target), tls_(asio::ssl::context::tls_client), stream_(context_, tls_) {
    request_.method(body.empty() ? http::verb::get : http::verb::post);
    request_.target(path);
    request_.version(11);
    request_.set(http::field::host, target.host + ":" + std::to_string(target.port));
    request_.set(http::field::connection, "close");
    if (!target.token.empty()) request_.set(http::field::authorization, "Bearer " + target.token);
    if (!body.empty()) request_.set(http::field::content_type, "application/json");
    request_.body() = body;
    request_.prepare_payload();
    parser_.body_limit(kMaxBody);
  }

  core::Result<LocalReply, LocalTrouble> run(core::Duration patience) {
    boost::system::error_code wrong;
    const asio::ip::address address = asio::ip::make_address(target_.host, wrong);
    if (wrong) return core::err(LocalTrouble::NoAnswer);
    beast::get_lowest_layer(stream_).async_connect({address, target_.port}, [this](auto e) {
      if (!e) secure();
    });
    context_.run_for(std::chrono::nanoseconds(patience.to_nanos()));
    if (!is_done_) return core::err(trouble_);
    return LocalReply{parser_.get().result_int(), std::move(parser_.get().body())};
  }

 private:
  void secure() {
    stream_.async_handshake(asio::ssl::stream_base::client, [this](auto e) {
      if (e) return;
      if (!shows(stream_.native_handle(), target_.certificate_der)) {
        trouble_ = LocalTrouble::OtherCertificate;
        return;
      }
      send();
    });
  }
  void send() {
    http::async_write(stream_, request_, [this](auto e, size_t) {
      if (e) return;
      http::async_read(stream_, buffer_, parser_, [this](auto failed, size_t) {
        is_done_ = !failed;
        if (failed) trouble_ = LocalTrouble::Broken;
      });
    });
  }

  const LocalTarget& target_;
  asio::io_context context_{1};
  asio::ssl::context tls_;
  asio::ssl::stream<beast::tcp_stream> stream_;
  http::request<http::string_body> request_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  LocalTrouble trouble_ = LocalTrouble::NoAnswer;
  bool is_done_ = false;
};

}  // namespace

core::Result<std::string, core::Failure> make_local_token(const std::string& data, core::Random& random) {
  std::string token = crypto::make_token(random, 24);
  if (core::Result<void, core::Failure> written = write_private_file(token_path(data), token); !written)
    return core::err(written.error());
  return token;
}

std::optional<std::string> read_local_token(const std::string& data) {
  core::Result<std::optional<std::string>, core::Failure> read = read_small_file(token_path(data));
  return read ? std::move(*read) : std::nullopt;
}

core::Result<LocalReply, LocalTrouble> ask_local(const LocalTarget& target, const std::string& path,
                                                 const std::string& body, core::Duration patience) {
  return Call(target, path, body).run(patience);
}

}  // namespace huitang::api
