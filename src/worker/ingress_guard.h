// Whether a worker reads its socket in full or only what must not wait.
//
// A worker that never finds its socket empty is behind, and the kernel's buffer before it grows: what comes
// out of it is older and older, checks included, until it overflows and drops at random. So a worker that has
// been behind for kPatience takes the whole backlog at once and leaves the pictures of it aside, unopened
// (`Urgent`). That brings it back to now; sound, checks, handshakes and reports are served all along. Pure;
// fed by the thread.
#pragma once

#include <optional>

#include "core/time.h"

namespace huitang::worker {

enum class Ingress : uint8_t {
  Full,    ///< everything
  Urgent,  ///< everything but media of pictures
};

class IngressGuard {
 public:
  /// Beyond it a late picture is not worth its decoding: about a jitter buffer's length.
  static constexpr core::Duration kPatience = core::Duration::millis(100);

  /// After each turn's reading: whether the socket was empty at its end.
  void handle_read(core::Instant now, bool was_emptied) {
    if (was_emptied)
      behind_since_.reset();
    else if (!behind_since_)
      behind_since_ = now;
  }
  Ingress mode(core::Instant now) const {
    return behind_since_ && now - *behind_since_ >= kPatience ? Ingress::Urgent : Ingress::Full;
  }

 private:
  std::optional<core::Instant> behind_since_;
};

}  // namespace huitang::worker
