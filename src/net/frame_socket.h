// Messages over a Unix-domain stream: a 4-byte big-endian length, then that many bytes (media.proto).
//
//   0               4                     4 + length
//   +---------------+---------------------+
//   | length (u32)  | bytes ...           |
//   +---------------+---------------------+
//
// Non-blocking on an EventLoop. Frames beyond `max_frame` and a send queue beyond `max_queue` end the
// connection: the two ends resynchronise by snapshots when they meet again, so losing single messages
// silently would be worse.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"
#include "net/event_loop.h"
#include "net/unique_fd.h"

namespace huitang::net {

struct FrameLimits {
  size_t max_frame = 4 << 20;   ///< bytes of one message, both ways
  size_t max_queue = 32 << 20;  ///< bytes waiting to be written
};

enum class FrameClose {
  Local,     ///< close() of this side; not reported
  Remote,    ///< the other side closed
  Oversize,  ///< it announced a frame over the cap
  SlowPeer,  ///< our queue reached its cap
  Error,     ///< the system said no
};
const char* to_string(FrameClose reason);

class FrameSocket {
 public:
  struct Handlers {
    /// The bytes are valid during the call only.
    std::function<void(core::Bytes frame)> on_frame;
    /// Once; never after close(). The socket may be destroyed inside.
    std::function<void(FrameClose reason)> on_close;
  };
  struct Counters {
    uint64_t frames_in = 0, frames_out = 0, bytes_in = 0, bytes_out = 0;
  };

  static core::Result<std::unique_ptr<FrameSocket>, core::Failure> connect(EventLoop& loop,
                                                                           const std::string& path,
                                                                           Handlers handlers,
                                                                           FrameLimits limits = {});
  /// An already connected stream socket (from FrameListener, a socketpair or an earlier process).
  static std::unique_ptr<FrameSocket> adopt(EventLoop& loop, UniqueFd fd, Handlers handlers,
                                            FrameLimits limits = {});
  ~FrameSocket();
  FrameSocket(const FrameSocket&) = delete;
  FrameSocket& operator=(const FrameSocket&) = delete;

  /// Never blocks. False when closed or the frame is over the cap; a full queue closes the connection
  /// (SlowPeer).
  bool send(core::Bytes frame);
  /// Reads nothing more until resume(): what the other side sends waits with it, and what was read waits here. For one
  /// who cannot keep up and may lose nothing.
  void pause();
  void resume();
  /// Writes what the system takes at once, then closes; no on_close follows.
  void close();
  bool is_open() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  size_t queued() const { return out_.size() - out_at_; }
  const Counters& counters() const { return counters_; }

 private:
  FrameSocket(EventLoop& loop, UniqueFd fd, Handlers handlers, FrameLimits limits);
  void on_io(Readiness readiness);
  bool read_some();
  bool deliver_frames();
  bool write_some();
  void watch_for(bool writable);
  void end(FrameClose reason);
  void end_soon(FrameClose reason);

  EventLoop& loop_;
  UniqueFd fd_;
  Handlers handlers_;
  FrameLimits limits_;
  core::Buffer in_;
  core::Buffer out_;
  size_t out_at_ = 0;
  bool writing_ = false;
  bool is_paused_ = false;
  bool is_ending_ = false;       ///< end_soon() is on its way
  std::shared_ptr<bool> alive_;  // false once destroyed, watched while a handler runs
  Counters counters_;
};

/// Accepts FrameSockets on a path. A left-over socket file of a dead process is replaced; a live one is a
/// failure. The file is readable and writable by this user alone and removed on destruction.
class FrameListener {
 public:
  using AcceptHandler = std::function<void(UniqueFd connection)>;
  static core::Result<std::unique_ptr<FrameListener>, core::Failure> listen(EventLoop& loop,
                                                                            const std::string& path,
                                                                            AcceptHandler on_accept);
  /// Beside a live listener of `path`, for the process that takes over from it: connections still reach the
  /// other one until replace() puts this one into its place.
  static core::Result<std::unique_ptr<FrameListener>, core::Failure> listen_beside(EventLoop& loop,
                                                                                   const std::string& path,
                                                                                   AcceptHandler on_accept);
  core::Result<void, core::Failure> replace();
  /// The file is another process's now and stays.
  void leave_file() { owns_file_ = false; }
  ~FrameListener();
  FrameListener(const FrameListener&) = delete;
  FrameListener& operator=(const FrameListener&) = delete;

 private:
  static core::Result<UniqueFd, core::Failure> bind_at(const std::string& path);
  FrameListener(EventLoop& loop, UniqueFd fd, std::string path, AcceptHandler on_accept);
  EventLoop& loop_;
  UniqueFd fd_;
  std::string path_;        ///< of the file
  std::string final_path_;  ///< set by listen_beside
  bool owns_file_ = true;
  AcceptHandler on_accept_;
};

}  // namespace huitang::net
