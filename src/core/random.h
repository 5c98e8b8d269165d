// The random source that engines are given. Shells pass one seeded from the operating system, tests a fixed seed.
#pragma once

#include <cstdint>
#include <span>

namespace huitang::core {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<uint8_t> out) = 0;
  uint32_t u32() {
    uint8_t b[4];
    fill(b);
    return static_cast<uint32_t>(b[0]) | static_cast<uint32_t>(b[1]) << 8 |
           static_cast<uint32_t>(b[2]) << 16 | static_cast<uint32_t>(b[3]) << 24;
  }
  uint64_t u64() { return static_cast<uint64_t>(u32()) << 32 | u32(); }
  /// Uniform in [0, bound); bound > 0. The bias of the multiply is under 2^-32.
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(static_cast<uint64_t>(u32()) * bound >> 32); }
};

/// Repeatable stream for tests and simulations (SplitMix64). Never for keys.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  void fill(std::span<uint8_t> out) override {
    for (size_t i = 0; i < out.size();) {
      uint64_t v = next();
      for (int k = 0; k < 8 && i < out.size(); ++k, v >>= 8) out[i++] = static_cast<uint8_t>(v);
    }
  }

 private:
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

}  // namespace huitang::core
