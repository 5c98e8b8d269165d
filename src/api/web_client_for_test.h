// Blocking HTTPS and WebSocket clients for tests over loopback, and a raw one that sends any bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace huitang::api {

struct WebReply {
  unsigned status = 0;
  std::string headers;
  std::string body;
  bool has(std::string_view text) const { return headers.find(text) != std::string::npos; }
};

struct WebTarget {
  uint16_t port = 0;
  std::string ca_pem;  ///< the only authority that is trusted
};

using WebHeaders = std::vector<std::pair<std::string, std::string>>;
WebReply web_get(const WebTarget& target, const std::string& path, const WebHeaders& headers = {});
WebReply web_post(const WebTarget& target, const std::string& path, const std::string& type,
                  const std::string& body, const WebHeaders& headers = {});

class WebSocketClient {
 public:
  struct Options {
    std::string origin;  ///< empty: none is sent
    std::string subprotocol = "huitang.v1";
    bool compress = false;
    std::string path = "/ws";
  };
  explicit WebSocketClient(const WebTarget& target) : WebSocketClient(target, Options()) {}
  WebSocketClient(const WebTarget& target, const Options& options);
  ~WebSocketClient();

  bool is_open() const;      ///< the upgrade was taken
  unsigned refusal() const;  ///< HTTP status when it was not
  bool send(std::string_view text);
  /// Frame bytes as they are, past the client's own framing.
  bool send_raw(std::string_view bytes);
  /// The next message within five seconds; absent when the socket ended.
  std::optional<std::string> read();
  /// Messages up to and including the first that contains `text`; absent when the socket ended before.
  std::optional<std::string> read_until(std::string_view text);
  /// Reads on until the socket ends; the close code, 0 without one.
  unsigned read_close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace huitang::api
