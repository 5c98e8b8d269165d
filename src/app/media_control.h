// A media process asked from a command line: one connection to its control socket, one request at a time, waited
// for. Events are passed over.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "core/result.h"
#include "core/time.h"
#include "huitang/v1/media.pb.h"
#include "net/event_loop.h"
#include "net/frame_socket.h"

namespace huitang::app {

class MediaControl {
 public:
  /// Connects and says hello; English reason when nobody answers.
  static core::Result<std::unique_ptr<MediaControl>, std::string> connect(const std::string& socket,
                                                                          core::Duration patience);
  const v1::MediaWelcome& welcome() const { return welcome_; }
  /// The process that listens at the socket; 0 when the system does not say.
  pid_t pid() const { return pid_; }

  /// The answer, MediaError included; English reason when none came.
  core::Result<v1::MediaMessage, std::string> ask(v1::MediaMessage request, core::Duration patience);

 private:
  MediaControl() = default;
  bool run_until(core::Duration patience);

  net::EventLoop loop_;
  std::unique_ptr<net::FrameSocket> socket_;
  bool is_closed_ = false;
  uint64_t awaited_ = 0;
  std::optional<v1::MediaMessage> answer_;
  v1::MediaWelcome welcome_;
  pid_t pid_ = 0;
};

}  // namespace huitang::app
