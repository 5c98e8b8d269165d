// Small parts of the hand-over codecs: values with a range, and counters by name.
#pragma once

#include <cstdint>
#include <string>

#include "core/address.h"
#include "core/time.h"
#include "huitang/v1/handover.pb.h"

namespace huitang::worker {

/// Collects what is wrong while values are read; the first complaint stays.
class StateReader {
 public:
  bool failed() const { return !complaint_.empty(); }
  const std::string& complaint() const { return complaint_; }
  bool expect(bool holds, const char* what) {
    if (!holds && complaint_.empty()) complaint_ = what;
    return holds;
  }

  /// Far enough from the ends that adding any timeout stays within 64 bits.
  core::Instant instant(int64_t nanos) {
    expect(nanos >= 0 && nanos < kMaxNanos, "an instant out of range");
    return core::Instant::from_nanos(failed() ? 0 : nanos);
  }
  core::Duration duration(int64_t nanos) {
    expect(nanos > -kMaxNanos && nanos < kMaxNanos, "a duration out of range");
    return core::Duration::nanos(failed() ? 0 : nanos);
  }
  /// At most `max`, so that it fits the type it is read into.
  template <class T>
  T number(uint64_t value, uint64_t max, const char* what) {
    return static_cast<T>(expect(value <= max, what) ? value : 0);
  }
  core::IpAddress ip(const std::string& bytes) {
    core::IpAddress out;
    if (bytes.empty()) return out;
    if (expect(bytes.size() == out.bytes.size(), "an address of wrong size"))
      std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
    return out;
  }
  core::SocketAddress address(const v1::AddressState& in) {
    return {ip(in.ip()), number<uint16_t>(in.port(), UINT16_MAX, "a port out of range")};
  }

 private:
  static constexpr int64_t kMaxNanos = int64_t{1} << 61;
  std::string complaint_;
};

inline void write_ip(const core::IpAddress& ip, std::string& out) {
  out.assign(ip.bytes.begin(), ip.bytes.end());
}
inline void write_address(const core::SocketAddress& address, v1::AddressState& out) {
  write_ip(address.ip, *out.mutable_ip());
  out.set_port(address.port);
}

template <class Counters>
struct CounterName {
  const char* name;
  uint64_t Counters::*member;
};
using CounterMap = google::protobuf::Map<std::string, uint64_t>;

template <class Counters, size_t N>
void write_counters(const Counters& counters, const CounterName<Counters> (&names)[N], CounterMap& out) {
  for (const auto& row : names)
    if (counters.*row.member != 0) out[row.name] = counters.*row.member;
}
/// Names that this version does not know are left alone, and what is missing stays 0.
template <class Counters, size_t N>
Counters read_counters(const CounterMap& in, const CounterName<Counters> (&names)[N]) {
  Counters counters;
  for (const auto& row : names)
    if (const auto at = in.find(row.name); at != in.end()) counters.*row.member = at->second;
  return counters;
}

}  // namespace huitang::worker
