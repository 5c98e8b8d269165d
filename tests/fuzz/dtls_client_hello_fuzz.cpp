// The assembler of ClientHellos against arbitrary datagrams, and against a message cut by the input: whatever
// order and overlap the pieces come in, a whole message comes back exactly.
#include <algorithm>

#include "core/check.h"
#include "dtls/client_hello.h"
#include "dtls/fingerprint.h"

using namespace huitang;

namespace {

core::Buffer write_fragment(const core::Buffer& message, size_t offset, size_t size) {
  core::Buffer out(25 + size);
  core::ByteWriter w(out);
  w.u8(22);
  w.u16(0xfefd);
  w.zeros(8);
  w.u16(static_cast<uint16_t>(12 + size));
  w.u8(1);
  w.u24(static_cast<uint32_t>(message.size()));
  w.u16(0);
  w.u24(static_cast<uint32_t>(offset));
  w.u24(static_cast<uint32_t>(size));
  w.bytes(core::Bytes(message).subspan(offset, size));
  return out;
}

void add_arbitrary(core::Bytes input) {
  dtls::ClientHelloAssembler assembler;
  core::ByteReader in(input);
  while (!in.failed() && in.remaining() > 0) {
    const auto whole = assembler.add(in.take(std::min<size_t>(in.remaining(), in.u8())));
    HUITANG_CHECK(assembler.buffered() <= dtls::ClientHelloAssembler::kMaxMessage);
    if (whole) HUITANG_CHECK(whole->size() == 25 + assembler.buffered());
  }
}

void add_cut(core::Bytes input) {
  core::ByteReader in(input);
  core::Buffer message(1 + in.u16() % 600);
  for (size_t i = 0; i < message.size(); ++i) message[i] = static_cast<uint8_t>(i * 7 + i / 256);
  dtls::ClientHelloAssembler assembler;
  for (int pieces = 0; pieces < 32 && !in.failed() && in.remaining() > 0; ++pieces) {
    const size_t offset = in.u16() % message.size();
    const size_t size = std::min<size_t>(in.u16(), message.size() - offset);
    if (const auto whole = assembler.add(write_fragment(message, offset, size))) {
      HUITANG_CHECK(std::equal(message.begin(), message.end(), whole->begin() + 25, whole->end()));
    }
  }
  const auto whole = assembler.add(write_fragment(message, 0, message.size()));
  HUITANG_CHECK(whole && std::equal(message.begin(), message.end(), whole->begin() + 25, whole->end()));
  HUITANG_CHECK(assembler.dropped() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const core::Bytes input(data, size);
  add_arbitrary(input);
  add_cut(input);
  if (const auto fingerprint = dtls::parse_fingerprint(core::as_text(input))) {
    HUITANG_CHECK(dtls::parse_fingerprint(to_string(*fingerprint)) == fingerprint);
  }
  return 0;
}
