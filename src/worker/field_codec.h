// Bytes of values that list their fields by visit_fields (sfu/state_fields.h): each field as its number and a
// length, so that a reader steps over numbers that it does not know and leaves alone what it does not find.
//
//   struct    (number, length, value)*                     numbers ascending
//   vector    count, then each element
//   struct in a vector, optional or array element: length, fields;  number: varint (zigzag when signed);
//   float, double: 8 bytes;  bool, enum, Id: varint;  Instant, Duration: nanoseconds, zigzag
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/bytes.h"
#include "core/id.h"
#include "core/time.h"
#include "rtp/ntp_time.h"
#include "sfu/state_fields.h"

namespace huitang::worker {

class FieldWriter {
 public:
  explicit FieldWriter(std::string& out) : out_(out) {}

  template <class T>
  void operator()(uint32_t number, const T& field) {
    put_varint(number);
    std::string value;
    FieldWriter(value).put(field);
    put_varint(value.size());
    out_ += value;
  }

 private:
  void put_varint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) out_.push_back(static_cast<char>(v | 0x80));
    out_.push_back(static_cast<char>(v));
  }
  void put_signed(int64_t v) { put_varint(static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63)); }

  template <class T>
    requires std::is_arithmetic_v<T>
  void put(T v) {
    if constexpr (std::is_floating_point_v<T>) {
      uint8_t bytes[8];
      core::store_u64(bytes, std::bit_cast<uint64_t>(static_cast<double>(v)));
      out_.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
    } else if constexpr (std::is_signed_v<T>) {
      put_signed(v);
    } else {
      put_varint(v);
    }
  }
  template <class T>
    requires std::is_enum_v<T>
  void put(T v) {
    put(static_cast<std::underlying_type_t<T>>(v));
  }
  void put(core::Instant v) { put_signed(v.to_nanos()); }
  void put(core::Duration v) { put_signed(v.to_nanos()); }
  void put(rtp::NtpTime v) { put_varint(v.bits()); }
  template <class Tag, class Rep>
  void put(core::Id<Tag, Rep> v) {
    put_varint(v.value());
  }
  template <class T>
  void put(const std::optional<T>& v) {
    put_varint(v.has_value());
    if (v) put(*v);
  }
  template <class T>
  void put(const std::vector<T>& v) {
    put_varint(v.size());
    for (const T& element : v) put(element);
  }
  template <class T, size_t N>
  void put(const std::array<T, N>& v) {
    for (const T& element : v) put(element);
  }
  template <class T>
    requires std::is_class_v<T>
  void put(const T& v) {
    std::string fields;
    FieldWriter inner(fields);
    sfu::visit_fields(inner, v);
    put_varint(fields.size());
    out_ += fields;
  }

  std::string& out_;
};

class FieldReader {
 public:
  /// Room that the elements of all vectors together may take, so that a count alone costs no memory.
  static constexpr size_t kMaxElementBytes = size_t{1} << 30;

  explicit FieldReader(core::Bytes bytes) : reader_(bytes) { next(); }
  bool failed() const { return failed_ || reader_.failed(); }

  template <class T>
  void operator()(uint32_t number, T& field) {
    while (!failed() && at_ != kEnd && at_ < number) next();
    if (failed() || at_ != number) return;
    FieldReader value(value_, Inside{});
    value.get(field);
    failed_ = value.failed() || value.reader_.remaining() != 0;
    if (!failed_) next();
  }

 private:
  struct Inside {};
  static constexpr uint64_t kEnd = UINT64_MAX;
  FieldReader(core::Bytes bytes, Inside) : reader_(bytes) {}

  /// To the next field: numbers only go up.
  void next() {
    if (reader_.remaining() == 0) {
      at_ = kEnd;
      return;
    }
    const uint64_t number = get_varint();
    const uint64_t size = get_varint();
    if (number <= at_ || number > UINT32_MAX || size > reader_.remaining()) {
      failed_ = true;
      return;
    }
    at_ = number;
    value_ = reader_.take(size);
  }
  uint64_t get_varint() {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = reader_.u8();
      v |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return v;
    }
    failed_ = true;
    return 0;
  }
  int64_t get_signed() {
    const uint64_t v = get_varint();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }
  /// Nanoseconds far enough from the ends that adding any timeout stays within 64 bits.
  int64_t get_nanos() {
    const int64_t v = get_signed();
    if (v < -(int64_t{1} << 61) || v > int64_t{1} << 61) failed_ = true;
    return failed_ ? 0 : v;
  }

  template <class T>
    requires std::is_arithmetic_v<T>
  void get(T& out) {
    if constexpr (std::is_floating_point_v<T>) {
      const auto v = std::bit_cast<double>(reader_.u64());
      failed_ = failed_ || !(v >= -1e30 && v <= 1e30);
      out = failed_ ? T{} : static_cast<T>(v);
    } else if constexpr (std::is_signed_v<T>) {
      const int64_t v = get_signed();
      failed_ = failed_ || v < std::numeric_limits<T>::min() || v > std::numeric_limits<T>::max();
      out = failed_ ? T{} : static_cast<T>(v);
    } else {
      const uint64_t v = get_varint();
      failed_ = failed_ || v > std::numeric_limits<T>::max();
      out = failed_ ? T{} : static_cast<T>(v);
    }
  }
  template <class T>
    requires std::is_enum_v<T>
  void get(T& out) {
    std::underlying_type_t<T> v{};
    get(v);
    out = static_cast<T>(v);
  }
  void get(core::Instant& out) { out = core::Instant::from_nanos(get_nanos()); }
  void get(core::Duration& out) { out = core::Duration::nanos(get_nanos()); }
  void get(rtp::NtpTime& out) { out = rtp::NtpTime::from_bits(get_varint()); }
  template <class Tag, class Rep>
  void get(core::Id<Tag, Rep>& out) {
    Rep v{};
    get(v);
    out = core::Id<Tag, Rep>(v);
  }
  template <class T>
  void get(std::optional<T>& out) {
    bool has = false;
    get(has);
    if (has) get(out.emplace());
  }
  template <class T>
  void get(std::vector<T>& out) {
    const uint64_t count = get_varint();
    // Each element takes a byte at least.
    if (count > reader_.remaining() || count * sizeof(T) > kMaxElementBytes) failed_ = true;
    if (failed()) return;
    out.resize(count);
    for (T& element : out) {
      get(element);
      if (failed()) return;
    }
  }
  template <class T, size_t N>
  void get(std::array<T, N>& out) {
    for (T& element : out) get(element);
  }
  template <class T>
    requires std::is_class_v<T>
  void get(T& out) {
    const uint64_t size = get_varint();
    if (failed() || size > reader_.remaining()) {
      failed_ = true;
      return;
    }
    FieldReader inner(reader_.take(size));
    sfu::visit_fields(inner, out);
    failed_ = failed_ || inner.failed();
  }

  core::ByteReader reader_;
  uint64_t at_ = 0;  ///< number of the field in value_; fields begin at 1
  core::Bytes value_;
  bool failed_ = false;
};

template <class T>
std::string write_fields(const T& value) {
  std::string out;
  FieldWriter writer(out);
  sfu::visit_fields(writer, value);
  return out;
}
/// False when the bytes are no such value.
template <class T>
bool read_fields(core::Bytes bytes, T& value) {
  FieldReader reader(bytes);
  sfu::visit_fields(reader, value);
  return !reader.failed();
}

}  // namespace huitang::worker
