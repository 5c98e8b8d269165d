// Puts a client's first flight together before OpenSSL sees it.
//
// Clients with post-quantum key shares send a ClientHello larger than one datagram, in fragments that arrive
// in any order or twice. This class collects the fragments of one ClientHello (epoch 0) and gives it back as
// one record of one fragment. It looks at nothing inside the message. Fed only by Endpoint, only as server,
// only until the first complete ClientHello.
#pragma once

#include <optional>
#include <vector>

#include "core/bytes.h"

namespace huitang::dtls {

class ClientHelloAssembler {
 public:
  static constexpr size_t kMaxMessage = 16'000;  ///< below one record's 2^14; real ones are under 2,500

  /// A datagram of the first flight. Returns a datagram for OpenSSL when a ClientHello is complete. Records
  /// that are not fragments of one are dropped and counted.
  std::optional<core::Buffer> add(core::Bytes datagram);
  /// Bytes of the message held so far.
  size_t buffered() const { return received_; }
  uint64_t dropped() const { return dropped_; }

 private:
  struct Record {
    uint16_t version = 0;
    uint64_t sequence_number = 0;
    core::Bytes body;
  };
  struct Fragment {
    size_t message_size = 0;
    uint16_t message_seq = 0;
    size_t offset = 0;
    core::Bytes bytes;
  };
  static std::optional<Record> parse_record(core::ByteReader& datagram);
  static std::optional<Fragment> parse_fragment(core::ByteReader& record);
  void add(const Record& record, const Fragment& fragment);
  core::Buffer write_whole() const;

  core::Buffer message_;
  std::vector<bool> have_;
  size_t received_ = 0;
  bool started_ = false;
  uint16_t version_ = 0;
  uint16_t message_seq_ = 0;
  uint64_t record_seq_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace huitang::dtls
