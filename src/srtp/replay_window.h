// Which indices of one SSRC have been seen (RFC 3711 section 3.3.2): a ring of bits behind the highest one.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "core/check.h"

namespace huitang::srtp {

class ReplayWindow {
 public:
  static constexpr uint32_t kMaxSize = 1024;

  explicit ReplayWindow(uint32_t size = kMaxSize) : size_(size) {
    HUITANG_CHECK(size >= 64 && size <= kMaxSize && size % 64 == 0);
  }

  bool has_started() const { return started_; }
  uint64_t highest() const { return highest_; }

  bool would_accept(uint64_t index) const {
    if (!started_ || index > highest_) return true;
    return highest_ - index < size_ && (word(index) & bit(index)) == 0;
  }

  /// Only for an index that would be accepted and whose packet proved authentic.
  void accept(uint64_t index) {
    if (!started_ || index > highest_) advance(index);
    word(index) |= bit(index);
  }

  std::span<const uint64_t> words() const { return std::span(words_).first(size_ / 64); }
  /// Puts back what another process exported; a window of another size starts with everything behind
  /// `highest` seen.
  void restore(uint64_t highest, std::span<const uint64_t> words) {
    started_ = true;
    highest_ = highest;
    words_.fill(~uint64_t{0});
    if (words.size() == size_ / 64) std::copy(words.begin(), words.end(), words_.begin());
  }

 private:
  void advance(uint64_t index) {
    if (!started_ || index - highest_ >= size_) {
      words_.fill(0);
    } else {
      for (uint64_t i = highest_ + 1; i < index; ++i) word(i) &= ~bit(i);
      word(index) &= ~bit(index);
    }
    highest_ = index;
    started_ = true;
  }
  static uint64_t bit(uint64_t index) { return uint64_t{1} << (index % 64); }
  uint64_t& word(uint64_t index) { return words_[index % size_ / 64]; }
  uint64_t word(uint64_t index) const { return words_[index % size_ / 64]; }

  uint32_t size_;
  bool started_ = false;
  uint64_t highest_ = 0;
  std::array<uint64_t, kMaxSize / 64> words_{};
};

}  // namespace huitang::srtp
