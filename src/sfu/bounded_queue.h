// A queue with a named cap that allocates once; what does not fit is refused and counted by the caller.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace huitang::sfu {

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : ring_(capacity) {}
  bool push(const T& v) {
    if (size_ == ring_.size()) return false;
    ring_[(first_ + size_++) % ring_.size()] = v;
    return true;
  }
  std::optional<T> pop() {
    if (size_ == 0) return std::nullopt;
    const T& v = ring_[first_];
    first_ = (first_ + 1) % ring_.size();
    --size_;
    return v;
  }
  size_t size() const { return size_; }

 private:
  std::vector<T> ring_;
  size_t first_ = 0;
  size_t size_ = 0;
};

}  // namespace huitang::sfu
