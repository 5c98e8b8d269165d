// The socket pair between a media process and the one that takes over from it (handover.proto): frames with
// one HandOverMessage, with descriptors beside a frame. Non-blocking underneath; waits have a deadline. Not for
// two threads.
//
//   0              4                       12              12 + length
//   +--------------+-----------------------+---------------+
//   | length (u32) | first of its SHA-256  | message       |
//   +--------------+-----------------------+---------------+
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "core/time.h"
#include "huitang/v1/handover.pb.h"
#include "net/unique_fd.h"

namespace huitang::worker {

class HandOverChannel {
 public:
  /// What the old process takes: the new one says little.
  static constexpr size_t kMaxSmallFrame = 64 * 1024;
  /// What the new process takes: a worker full of peers.
  static constexpr size_t kMaxStateFrame = size_t{1} << 30;
  static constexpr size_t kMaxDescriptors = 65;  ///< a socket for each worker, and an executable

  HandOverChannel(net::UniqueFd fd, size_t max_frame);

  struct Pair {
    net::UniqueFd ours, theirs;
  };
  /// Two connected ends, both close-on-exec. Empty descriptors when the system has none left.
  static Pair make_pair();

  int fd() const { return fd_.get(); }

  /// English reason when the other end is gone or does not read in time.
  core::Result<void, std::string> send(const v1::HandOverMessage& message, core::Duration patience,
                                       std::span<const int> descriptors = {});
  /// The next message, if it has arrived; does not wait.
  core::Result<std::optional<v1::HandOverMessage>, std::string> poll();
  /// Waits for it. Absent patience: for as long as the other end lives.
  core::Result<v1::HandOverMessage, std::string> receive(std::optional<core::Duration> patience);
  /// Those that came with the frames so far.
  std::vector<net::UniqueFd> take_descriptors() { return std::exchange(descriptors_, {}); }
  /// The other end was closed, which also happens when its process ends.
  bool is_closed() const { return closed_; }

 private:
  bool read_some();
  bool wait(short events, core::Instant until);
  core::Result<std::optional<v1::HandOverMessage>, std::string> take_frame();

  net::UniqueFd fd_;
  size_t max_frame_;
  core::Buffer in_;
  std::vector<net::UniqueFd> descriptors_;
  bool closed_ = false;
};

}  // namespace huitang::worker
