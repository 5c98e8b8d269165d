// Sequence numbers of one incoming stream: extended to 64 bits, duplicates told apart, restarts noticed.
//
// A number must never be forwarded twice on a run: the copy would be sealed with an index that SRTP has used
// already (RFC 7714 section 8.1). So what cannot be told from a duplicate counts as one.
#pragma once

#include <array>
#include <cstdint>

namespace huitang::sfu {

class ReceiveWindow {
 public:
  static constexpr int64_t kSpan = 1024;     ///< late packets are known for so many numbers back
  static constexpr int64_t kMaxJump = 3000;  ///< RFC 3550 appendix A.1: MAX_DROPOUT

  enum class Verdict : uint8_t {
    Newest,     ///< above all before
    Late,       ///< fills a gap
    Duplicate,  ///< seen, or too old to tell
    Jump,       ///< far away; ignored unless the next packet follows it
    Restart,    ///< second packet after a jump: a new stream begins with it
  };
  struct Seen {
    Verdict verdict = Verdict::Duplicate;
    int64_t sequence = 0;
  };

  Seen handle(uint16_t number) {
    if (!started_) return start((int64_t{1} << 16) + number, Verdict::Newest);
    const int64_t sequence = highest_ + static_cast<int16_t>(static_cast<uint16_t>(number - highest_));
    const int64_t ahead = sequence - highest_;
    if (ahead > kMaxJump || ahead < -kMaxJump) return judge_jump(number);
    after_jump_ = kNoJump;
    if (ahead > 0) {
      advance(sequence);
      return {Verdict::Newest, sequence};
    }
    if (-ahead >= kSpan || is_marked(sequence)) return {Verdict::Duplicate, sequence};
    mark(sequence);
    return {Verdict::Late, sequence};
  }
  bool has_started() const { return started_; }
  int64_t highest() const { return highest_; }

  /// The whole of it, for a successor (state.h).
  static constexpr uint32_t kNoJump = 0x10000;
  struct State {
    bool has_started = false;
    int64_t highest = 0;                      ///< extended number
    uint32_t after_jump = kNoJump;            ///< the number that would confirm a jump; kNoJump: none
    std::array<uint64_t, kSpan / 64> seen{};  ///< a bit per number of the span, at the number modulo kSpan
    friend bool operator==(const State&, const State&) = default;
  };
  State export_state() const { return {started_, highest_, after_jump_, bits_}; }
  void restore(const State& s) {
    started_ = s.has_started;
    highest_ = s.highest;
    after_jump_ = s.after_jump;
    bits_ = s.seen;
  }

 private:
  Seen judge_jump(uint16_t number) {
    if (after_jump_ != number) {
      after_jump_ = static_cast<uint16_t>(number + 1);
      return {Verdict::Jump, 0};
    }
    // The extended number goes on upward, so that what the histories hold of the old stream is not mistaken
    // for it.
    return start((((highest_ >> 16) + 2) << 16) + number, Verdict::Restart);
  }
  Seen start(int64_t sequence, Verdict verdict) {
    bits_.fill(0);
    // Numbers before the first one were not seen and may still come.
    started_ = true;
    highest_ = sequence;
    after_jump_ = kNoJump;
    mark(sequence);
    return {verdict, sequence};
  }
  void advance(int64_t sequence) {
    const int64_t steps = sequence - highest_;
    if (steps >= kSpan) {
      bits_.fill(0);
    } else {
      for (int64_t s = highest_ + 1; s < sequence; ++s) clear(s);
    }
    highest_ = sequence;
    mark(sequence);
  }
  static size_t bit(int64_t s) { return static_cast<size_t>(s) & (kSpan - 1); }
  bool is_marked(int64_t s) const { return bits_[bit(s) >> 6] >> (bit(s) & 63) & 1; }
  void mark(int64_t s) { bits_[bit(s) >> 6] |= uint64_t{1} << (bit(s) & 63); }
  void clear(int64_t s) { bits_[bit(s) >> 6] &= ~(uint64_t{1} << (bit(s) & 63)); }

  std::array<uint64_t, kSpan / 64> bits_{};
  int64_t highest_ = 0;
  uint32_t after_jump_ = kNoJump;
  bool started_ = false;
};

}  // namespace huitang::sfu
