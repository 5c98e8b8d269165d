#include "api/tls_socket.h"

#include <openssl/err.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <cerrno>

#include "net/clock.h"

namespace huitang::api {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Step = TlsConnection::Step;
using Need = TlsConnection::Need;

/// Bytes from one peer. An offer of 28 slots is 160 kB before compression; nothing else comes near.
constexpr Rate kReadRate{256 * 1024, 1024 * 1024};
constexpr std::chrono::milliseconds kReadPause{50};
/// How long and how much a peer may go on sending after our end, so that it gets to read our last word.
constexpr core::Duration kDrainTime = core::Duration::seconds(2);
constexpr size_t kMaxDrained = 1024 * 1024;

error_code last_error() { return {errno, boost::system::system_category()}; }
bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

// A BIO upon the socket that raises no SIGPIPE; OpenSSL's own writes with write(2).
int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::send(static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))), data,
                           static_cast<size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && would_block()) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::recv(static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))), data,
                           static_cast<size_t>(size), 0);
  if (n < 0 && would_block()) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

BIO* make_bio(int descriptor) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "huitang socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  BIO* bio = BIO_new(method);
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(descriptor)));
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace

TlsConnection::TlsConnection(asio::ip::tcp::socket connected)
    : socket_(std::move(connected)), timer_(socket_.get_executor()), read_budget_(kReadRate) {
  error_code ignored;
  socket_.native_non_blocking(true, ignored);
}

TlsConnection::~TlsConnection() { SSL_free(ssl_); }

void TlsConnection::close() {
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
}

Step TlsConnection::outcome_of(int result, size_t bytes) {
  if (result > 0) return {Need::Nothing, {}, bytes};
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return {Need::Readable, {}, 0};
    case SSL_ERROR_WANT_WRITE: return {Need::Writable, {}, 0};
    case SSL_ERROR_ZERO_RETURN: return {Need::Nothing, asio::error::eof, 0};
    case SSL_ERROR_SYSCALL:
      return {Need::Nothing, errno == 0 ? error_code(asio::error::eof) : last_error(), 0};
    default: break;
  }
  const bool cut = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  ERR_clear_error();
  return {Need::Nothing, cut ? error_code(asio::error::eof) : error_code(asio::error::connection_aborted), 0};
}

// A record's header: type (22, handshake), version (3, x), length. The kernel tells once all of it is there.
Step TlsConnection::await_hello() {
  if (!socket_.is_open()) return {Need::Nothing, asio::error::operation_aborted, 0};
  constexpr size_t kHeader = 5, kMostHello = 16 * 1024;
  std::array<uint8_t, kHeader> header;
  const ssize_t n = ::recv(socket_.native_handle(), header.data(), header.size(), MSG_PEEK);
  if (n == 0) return {Need::Nothing, asio::error::eof, 0};
  if (n < 0) return would_block() ? Step{Need::Readable, {}, 0} : Step{Need::Nothing, last_error(), 0};
  const bool is_tls = header[0] == 22 && (n < 2 || header[1] == 3);
  const size_t length = n < 5 ? 0 : static_cast<size_t>(header[3] << 8 | header[4]);
  if (!is_tls || length > kMostHello) return {Need::Nothing, asio::error::connection_aborted, 0};
  const size_t whole = kHeader + length;
  int waiting = 0;
  ::ioctl(socket_.native_handle(), FIONREAD, &waiting);
  const bool is_whole = static_cast<size_t>(n) == kHeader && static_cast<size_t>(waiting) >= whole;
  const int mark = is_whole ? 1 : static_cast<int>(whole);
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark);
  return {is_whole ? Need::Nothing : Need::Readable, {}, 0};
}

Step TlsConnection::shake_hands(SSL_CTX* context) {
  if (!socket_.is_open()) return {Need::Nothing, asio::error::operation_aborted, 0};
  if (ssl_ == nullptr) {
    ssl_ = SSL_new(context);
    if (ssl_ == nullptr) return {Need::Nothing, asio::error::no_memory, 0};
    BIO* bio = make_bio(socket_.native_handle());
    SSL_set_bio(ssl_, bio, bio);
  }
  ERR_clear_error();
  errno = 0;
  return outcome_of(SSL_accept(ssl_), 0);
}

Step TlsConnection::read(void* to, size_t room) {
  if (!socket_.is_open()) return {Need::Nothing, asio::error::operation_aborted, 0};
  if (room == 0) return {};
  const core::Instant now = net::monotonic_now();
  if (!read_budget_.has(now)) {
    timer_.expires_after(kReadPause);
    return {Need::Pause, {}, 0};
  }
  ERR_clear_error();
  errno = 0;
  size_t n = 0;
  const int result = SSL_read_ex(ssl_, to, room, &n);
  if (n > 0) read_budget_.take_on_credit(now, static_cast<double>(n));
  return outcome_of(result, n);
}

Step TlsConnection::write(const void* from, size_t size) {
  if (!socket_.is_open()) return {Need::Nothing, asio::error::operation_aborted, 0};
  if (size == 0) return {};
  ERR_clear_error();
  errno = 0;
  size_t n = 0;
  const int result = SSL_write_ex(ssl_, from, size, &n);
  return outcome_of(result, n);
}

Step TlsConnection::say_goodbye() {
  if (!socket_.is_open()) return {Need::Nothing, asio::error::operation_aborted, 0};
  ERR_clear_error();
  if (SSL_is_init_finished(ssl_) != 0) SSL_shutdown(ssl_);
  ERR_clear_error();
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  return {};
}

Step TlsConnection::drain() {
  if (!socket_.is_open()) return {Need::Nothing, asio::error::operation_aborted, 0};
  const core::Instant now = net::monotonic_now();
  if (!drain_until_) {
    say_goodbye();
    drain_until_ = now + kDrainTime;
  }
  std::array<char, 4096> trash;
  ssize_t n = 0;
  while (drained_ < kMaxDrained && (n = ::recv(socket_.native_handle(), trash.data(), trash.size(), 0)) > 0)
    drained_ += static_cast<size_t>(n);
  const bool goes_on = n < 0 && would_block() && drained_ < kMaxDrained && now < *drain_until_;
  if (!goes_on) {
    close();
    return {};
  }
  timer_.expires_after(kReadPause);
  return {Need::Pause, {}, 0};
}

}  // namespace huitang::api
