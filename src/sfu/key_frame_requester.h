// When to ask a sender's layer for a key frame: at once when first wanted, never more often than the interval
// however many want one, again until it comes.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"

namespace huitang::sfu {

class KeyFrameRequester {
 public:
  static constexpr core::Duration kInterval = core::Duration::millis(500);
  static constexpr core::Duration kSlowInterval = core::Duration::seconds(2);
  static constexpr uint8_t kQuickTries = 10;  ///< then slowly: the sender seems not to send this layer
  static constexpr uint8_t kMaxTries = 40;    ///< then not at all, until wanted anew

  void want() { wanted_ = true; }
  void cancel() {
    wanted_ = false;
    tries_ = 0;
  }
  void handle_key_frame() { cancel(); }
  /// True: send a request now.
  bool poll(core::Instant now) {
    const auto due = deadline();
    if (!due || now < *due) return false;
    last_ = now;
    if (++tries_ >= kMaxTries) cancel();
    return true;
  }
  std::optional<core::Instant> deadline() const {
    if (!wanted_) return std::nullopt;
    if (!last_) return core::Instant();
    return *last_ + (tries_ > kQuickTries ? kSlowInterval : kInterval);
  }
  bool is_wanted() const { return wanted_; }

  /// The whole of it but the moment of the last request: a successor asks at once (state.h).
  struct State {
    bool is_wanted = false;
    uint8_t tries = 0;  ///< requests since it was wanted
    friend bool operator==(const State&, const State&) = default;
  };
  State export_state() const { return {wanted_, tries_}; }
  void restore(const State& s) {
    wanted_ = s.is_wanted;
    tries_ = s.tries;
    last_.reset();
  }

 private:
  std::optional<core::Instant> last_;
  bool wanted_ = false;
  uint8_t tries_ = 0;
};

}  // namespace huitang::sfu
