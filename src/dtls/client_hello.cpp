#include "dtls/client_hello.h"

#include <algorithm>

namespace huitang::dtls {
namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHello = 1;
constexpr size_t kHandshakeHeader = 12;

}  // namespace

// RFC 6347 section 4.1:
//
//   type(8) version(16) epoch(16) sequence_number(48) length(16) | fragments
//
std::optional<ClientHelloAssembler::Record> ClientHelloAssembler::parse_record(core::ByteReader& datagram) {
  const uint8_t type = datagram.u8();
  Record r;
  r.version = datagram.u16();
  const uint16_t epoch = datagram.u16();
  r.sequence_number = static_cast<uint64_t>(datagram.u16()) << 32;
  r.sequence_number |= datagram.u32();
  r.body = datagram.take(datagram.u16());
  if (datagram.failed() || type != kHandshakeRecord || epoch != 0) return std::nullopt;
  return r;
}

// RFC 6347 section 4.2.2:
//
//   msg_type(8) length(24) message_seq(16) fragment_offset(24) fragment_length(24) | fragment
//
std::optional<ClientHelloAssembler::Fragment> ClientHelloAssembler::parse_fragment(core::ByteReader& record) {
  const uint8_t message = record.u8();
  Fragment f;
  f.message_size = record.u24();
  f.message_seq = record.u16();
  f.offset = record.u24();
  f.bytes = record.take(record.u24());
  if (record.failed() || message != kClientHello) return std::nullopt;
  if (f.message_size == 0 || f.message_size > kMaxMessage) return std::nullopt;
  if (f.offset > f.message_size || f.bytes.size() > f.message_size - f.offset) return std::nullopt;
  return f;
}

std::optional<core::Buffer> ClientHelloAssembler::add(core::Bytes datagram) {
  core::ByteReader reader(datagram);
  while (!reader.failed() && reader.remaining() > 0) {
    const auto record = parse_record(reader);
    if (!record) {
      ++dropped_;
      continue;
    }
    core::ByteReader fragments(record->body);
    do {
      if (const auto fragment = parse_fragment(fragments)) {
        add(*record, *fragment);
      } else {
        ++dropped_;
        break;
      }
    } while (fragments.remaining() > 0);
  }
  if (!started_ || received_ < message_.size()) return std::nullopt;
  return write_whole();
}

void ClientHelloAssembler::add(const Record& record, const Fragment& f) {
  // A client that began anew (another length or number) supersedes what it sent before.
  if (!started_ || f.message_size != message_.size() || f.message_seq != message_seq_) {
    started_ = true;
    message_.assign(f.message_size, 0);
    have_.assign(f.message_size, false);
    received_ = 0;
    message_seq_ = f.message_seq;
    record_seq_ = 0;
  }
  version_ = record.version;
  record_seq_ = std::max(record_seq_, record.sequence_number);
  for (size_t i = 0; i < f.bytes.size(); ++i) {
    message_[f.offset + i] = f.bytes[i];
    received_ += have_[f.offset + i] ? 0 : 1;
    have_[f.offset + i] = true;
  }
}

core::Buffer ClientHelloAssembler::write_whole() const {
  core::Buffer out(13 + kHandshakeHeader + message_.size());
  core::ByteWriter w(out);
  w.u8(kHandshakeRecord);
  w.u16(version_);
  w.u16(0);
  w.u16(static_cast<uint16_t>(record_seq_ >> 32));
  w.u32(static_cast<uint32_t>(record_seq_));
  w.u16(static_cast<uint16_t>(kHandshakeHeader + message_.size()));
  w.u8(kClientHello);
  w.u24(static_cast<uint32_t>(message_.size()));
  w.u16(message_seq_);
  w.u24(0);
  w.u24(static_cast<uint32_t>(message_.size()));
  w.bytes(message_);
  return out;
}

}  // namespace huitang::dtls
