// A server's TLS connection straight over its non-blocking socket, as a stream for Beast.
//
// Asio's own ssl::stream keeps some 70 kB of buffers a connection from the first moment. Here OpenSSL reads and
// writes the socket itself: a connection that has said nothing costs a descriptor, one that rests costs what
// OpenSSL keeps without buffers (SSL_MODE_RELEASE_BUFFERS). The TLS state is made only when a whole
// ClientHello has arrived. What a peer sends is read at kReadRate at most, so that neither floods of tiny
// messages nor of pings nor of compressed ones take the loop; the rest waits in the peer's own kernel.
//
// Left out: the client's side, renegotiation (refused), deadlines (Door has them and closes the socket).
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/role.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "api/token_bucket.h"

namespace huitang::api {

/// One connection's state; held by the stream and by what is under way on it.
class TlsConnection {
 public:
  using ErrorCode = boost::system::error_code;
  enum class Need : uint8_t { Nothing, Readable, Writable, Pause };
  struct Step {
    Need need = Need::Nothing;  ///< Nothing: done, by `error` and `bytes`
    ErrorCode error;
    size_t bytes = 0;
  };

  explicit TlsConnection(boost::asio::ip::tcp::socket connected);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  // Each does what can be done without waiting.
  Step await_hello();  ///< until a whole ClientHello can be read
  Step shake_hands(SSL_CTX* context);
  Step read(void* to, size_t room);
  Step write(const void* from, size_t size);
  Step say_goodbye();
  Step drain();  ///< throws away what still comes, until the peer's end

  void close();
  boost::asio::ip::tcp::socket& socket() { return socket_; }
  boost::asio::steady_timer& timer() { return timer_; }

 private:
  Step outcome_of(int result, size_t bytes);
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  SSL* ssl_ = nullptr;
  TokenBucket read_budget_;
  size_t drained_ = 0;
  std::optional<core::Instant> drain_until_;
};

/// A composed operation: tries, waits for what is missing, tries again. `Attempt` is called with the connection.
template <class Attempt>
struct TlsOperation {
  std::shared_ptr<TlsConnection> connection;
  Attempt attempt;
  bool has_waited = false;
  bool is_done = false;
  TlsConnection::Step step;

  template <class Self>
  void operator()(Self& self, boost::system::error_code error = {}) {
    namespace asio = boost::asio;
    if (is_done) return self.complete(step.error, step.bytes);
    if (error) return self.complete(error, 0);
    step = attempt(*connection);
    TlsConnection& here = *connection;
    const bool at_once = !std::exchange(has_waited, true);
    switch (step.need) {
      case TlsConnection::Need::Readable:
        return here.socket().async_wait(asio::ip::tcp::socket::wait_read, std::move(self));
      case TlsConnection::Need::Writable:
        return here.socket().async_wait(asio::ip::tcp::socket::wait_write, std::move(self));
      case TlsConnection::Need::Pause: return here.timer().async_wait(std::move(self));
      case TlsConnection::Need::Nothing: break;
    }
    if (!at_once) return self.complete(step.error, step.bytes);
    is_done = true;
    asio::post(here.socket().get_executor(), std::move(self));
  }
};

class TlsSocket {
 public:
  using executor_type = boost::asio::ip::tcp::socket::executor_type;
  using Signature = void(boost::system::error_code, size_t);

  explicit TlsSocket(boost::asio::ip::tcp::socket connected)
      : connection_(std::make_shared<TlsConnection>(std::move(connected))) {}

  executor_type get_executor() { return connection_->socket().get_executor(); }
  /// To close it from elsewhere.
  std::weak_ptr<TlsConnection> connection() const { return connection_; }
  void close() { connection_->close(); }

  template <class Token>
  auto async_hello(Token&& token) {
    return run([](TlsConnection& c) { return c.await_hello(); }, std::forward<Token>(token));
  }
  /// `context` outlives the operation.
  template <class Token>
  auto async_handshake(SSL_CTX* context, Token&& token) {
    return run([context](TlsConnection& c) { return c.shake_hands(context); }, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    boost::asio::mutable_buffer room;
    for (auto at = boost::asio::buffer_sequence_begin(buffers);
         at != boost::asio::buffer_sequence_end(buffers) && room.size() == 0; ++at)
      room = *at;
    return run([room](TlsConnection& c) { return c.read(room.data(), room.size()); },
               std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return run(Gather<Buffers>{buffers}, std::forward<Token>(token));
  }
  /// close_notify and the end of what we send.
  template <class Token>
  auto async_goodbye(Token&& token) {
    return run([](TlsConnection& c) { return c.say_goodbye(); }, std::forward<Token>(token));
  }
  template <class Token>
  auto async_drain(Token&& token) {
    return run([](TlsConnection& c) { return c.drain(); }, std::forward<Token>(token));
  }

 private:
  /// A frame's header and payload leave in one record: what does not fill one is gathered.
  template <class Buffers>
  struct Gather {
    Buffers buffers;
    TlsConnection::Step operator()(TlsConnection& connection) const {
      static constexpr size_t kRecord = 16 * 1024;
      static thread_local std::array<uint8_t, kRecord> record;
      const auto first = boost::asio::const_buffer(*boost::asio::buffer_sequence_begin(buffers));
      if (first.size() >= kRecord) return connection.write(first.data(), kRecord);
      const size_t size = boost::asio::buffer_copy(boost::asio::buffer(record), buffers);
      return connection.write(record.data(), size);
    }
  };
  template <class Attempt, class Token>
  auto run(Attempt attempt, Token&& token) {
    return boost::asio::async_compose<Token, Signature>(
        TlsOperation<Attempt>{connection_, std::move(attempt)}, token, connection_->socket());
  }
  std::shared_ptr<TlsConnection> connection_;
};

// What Beast asks of a stream below a WebSocket.

inline void beast_close_socket(TlsSocket& stream) { stream.close(); }

template <class Handler>
void async_teardown(boost::beast::role_type, TlsSocket& stream, Handler&& handler) {
  stream.async_drain([handler = std::forward<Handler>(handler)](
                         boost::system::error_code error, size_t) mutable { std::move(handler)(error); });
}

}  // namespace huitang::api
