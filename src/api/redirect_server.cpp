#include "api/redirect_server.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace huitang::api {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr size_t kMaxOpen = 100;
constexpr size_t kMaxHeader = 8 * 1024;
constexpr std::chrono::seconds kTime{5};

auto into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

/// The target of "GET /path HTTP/1.1" when it is a plain path; "/" otherwise.
std::string target_of(std::string_view line) {
  const size_t from = line.find(' ');
  const size_t to = line.find(' ', from + 1);
  if (from == std::string_view::npos || to == std::string_view::npos) return "/";
  const std::string_view target = line.substr(from + 1, to - from - 1);
  for (const char c : target)
    if (c <= ' ' || c > '~' || c == '\\') return "/";
  return target.starts_with('/') && !target.starts_with("//") ? std::string(target) : "/";
}

}  // namespace

struct RedirectServer::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& c, std::string u) : context(c), url(std::move(u)), acceptor(c) {}
  awaitable<void> accept_loop();
  awaitable<void> answer(std::shared_ptr<tcp::socket> socket);
  asio::io_context& context;
  std::string url;
  tcp::acceptor acceptor;
  size_t open = 0;
};

awaitable<void> RedirectServer::Impl::accept_loop() {
  const std::shared_ptr<Impl> self = shared_from_this();
  asio::steady_timer pause(context);
  while (acceptor.is_open()) {
    error_code error;
    auto socket = std::make_shared<tcp::socket>(context);
    co_await acceptor.async_accept(*socket, into(error));
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      // Out of descriptors, most likely: waiting lets others close.
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(into(error));
      continue;
    }
    if (open >= kMaxOpen) continue;
    ++open;
    asio::co_spawn(context, answer(socket), asio::detached);
  }
}

awaitable<void> RedirectServer::Impl::answer(std::shared_ptr<tcp::socket> socket) {
  const std::shared_ptr<Impl> self = shared_from_this();
  asio::steady_timer deadline(context, kTime);
  deadline.async_wait([socket](error_code aborted) {
    error_code ignored;
    if (!aborted) socket->close(ignored);
  });
  std::string request;
  error_code error;
  co_await asio::async_read_until(*socket, asio::dynamic_buffer(request, kMaxHeader), "\r\n\r\n",
                                  into(error));
  if (!error) {
    const std::string reply = "HTTP/1.1 308 Permanent Redirect\r\nLocation: " + url +
                              target_of(std::string_view(request).substr(0, request.find("\r\n"))) +
                              "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    co_await asio::async_write(*socket, asio::buffer(reply), into(error));
  }
  deadline.cancel();
  --open;
}

RedirectServer::RedirectServer(IoLoop& loop, std::string url)
    : impl_(std::make_shared<Impl>(loop.context(), std::move(url))) {}

RedirectServer::~RedirectServer() {
  error_code ignored;
  impl_->acceptor.close(ignored);
}

core::Result<void, core::Failure> RedirectServer::listen(const std::string& bind_address, uint16_t port) {
  const std::string where = "listen on " + bind_address + " port " + std::to_string(port);
  error_code error;
  const tcp::endpoint endpoint(asio::ip::make_address(bind_address, error), port);
  if (error) return core::err(core::Failure{error, where});
  impl_->acceptor.open(endpoint.protocol(), error);
  if (!error) impl_->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) impl_->acceptor.bind(endpoint, error);
  if (!error) impl_->acceptor.listen(64, error);
  if (error) return core::err(core::Failure{error, where});
  asio::co_spawn(impl_->context, impl_->accept_loop(), asio::detached);
  return {};
}

uint16_t RedirectServer::port() const {
  error_code ignored;
  return impl_->acceptor.local_endpoint(ignored).port();
}

}  // namespace huitang::api
