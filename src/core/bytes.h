// Bounds-checked reading and writing of network byte order.
//
// A ByteReader never reads past its end: after the first failed read it is `failed()` and returns zeros, so a parser
// may read a whole fixed header and check once. A ByteWriter writes into memory of the caller and fails likewise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace huitang::core {

using Bytes = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;
using Buffer = std::vector<uint8_t>;

inline Bytes as_bytes(std::string_view s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }
inline std::string_view as_text(Bytes b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }

inline uint16_t load_u16(const uint8_t* p) { return static_cast<uint16_t>(p[0] << 8 | p[1]); }
inline uint32_t load_u24(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) << 16 | static_cast<uint32_t>(p[1]) << 8 | p[2];
}
inline uint32_t load_u32(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 |
         static_cast<uint32_t>(p[2]) << 8 | p[3];
}
inline uint64_t load_u64(const uint8_t* p) {
  return static_cast<uint64_t>(load_u32(p)) << 32 | load_u32(p + 4);
}
inline void store_u16(uint8_t* p, uint16_t v) {
  p[0] = static_cast<uint8_t>(v >> 8);
  p[1] = static_cast<uint8_t>(v);
}
inline void store_u24(uint8_t* p, uint32_t v) {
  p[0] = static_cast<uint8_t>(v >> 16);
  store_u16(p + 1, static_cast<uint16_t>(v));
}
inline void store_u32(uint8_t* p, uint32_t v) {
  store_u16(p, static_cast<uint16_t>(v >> 16));
  store_u16(p + 2, static_cast<uint16_t>(v));
}
inline void store_u64(uint8_t* p, uint64_t v) {
  store_u32(p, static_cast<uint32_t>(v >> 32));
  store_u32(p + 4, static_cast<uint32_t>(v));
}

class ByteReader {
 public:
  explicit ByteReader(Bytes b) : b_(b) {}
  bool failed() const { return failed_; }
  size_t remaining() const { return b_.size() - at_; }
  size_t position() const { return at_; }
  Bytes rest() const { return b_.subspan(at_); }

  uint8_t u8() { return ensure(1) ? b_[at_++] : uint8_t{0}; }
  uint16_t u16() { return ensure(2) ? load_u16(advance(2)) : uint16_t{0}; }
  uint32_t u24() { return ensure(3) ? load_u24(advance(3)) : 0; }
  uint32_t u32() { return ensure(4) ? load_u32(advance(4)) : 0; }
  uint64_t u64() { return ensure(8) ? load_u64(advance(8)) : 0; }
  /// The next n bytes; empty and failed() when fewer remain.
  Bytes take(size_t n) { return ensure(n) ? Bytes(advance(n), n) : Bytes(); }
  bool skip(size_t n) { return ensure(n) && (at_ += n, true); }

 private:
  bool ensure(size_t n) {
    if (failed_ || n > remaining()) failed_ = true;
    return !failed_;
  }
  const uint8_t* advance(size_t n) {
    const uint8_t* p = b_.data() + at_;
    at_ += n;
    return p;
  }
  Bytes b_;
  size_t at_ = 0;
  bool failed_ = false;
};

class ByteWriter {
 public:
  explicit ByteWriter(MutableBytes b) : b_(b) {}
  bool failed() const { return failed_; }
  size_t size() const { return at_; }
  size_t room() const { return b_.size() - at_; }
  Bytes written() const { return b_.first(at_); }

  void u8(uint8_t v) {
    if (ensure(1)) b_[at_++] = v;
  }
  void u16(uint16_t v) {
    if (ensure(2)) store_u16(advance(2), v);
  }
  void u24(uint32_t v) {
    if (ensure(3)) store_u24(advance(3), v);
  }
  void u32(uint32_t v) {
    if (ensure(4)) store_u32(advance(4), v);
  }
  void u64(uint64_t v) {
    if (ensure(8)) store_u64(advance(8), v);
  }
  void bytes(Bytes v) {
    if (!v.empty() && ensure(v.size())) std::memcpy(advance(v.size()), v.data(), v.size());
  }
  void zeros(size_t n) {
    if (n != 0 && ensure(n)) std::memset(advance(n), 0, n);
  }

 private:
  bool ensure(size_t n) {
    if (failed_ || n > room()) failed_ = true;
    return !failed_;
  }
  uint8_t* advance(size_t n) {
    uint8_t* p = b_.data() + at_;
    at_ += n;
    return p;
  }
  MutableBytes b_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace huitang::core
