// Any bytes through the STUN parser; what it accepts is written again and must read back the same.
//
// Half of the inputs get a right length, cookie and fingerprint, so that the fuzzer reaches the attributes.
#include <algorithm>
#include <cstdlib>

#include "crypto/hash.h"
#include "stun/message.h"

namespace {

using huitang::core::Buffer;
using huitang::core::Bytes;
namespace core = huitang::core;
namespace stun = huitang::stun;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(Bytes bytes) {
  const auto view = stun::MessageView::parse(bytes);
  if (!view) return;
  static constexpr uint8_t kKey[] = {'k'};
  (void)view->check_integrity_sha256(kKey);
  require(view->unknown_required().size() <= stun::MessageView::kMaxUnknown);
  (void)view->check_integrity(kKey);

  Buffer out(bytes.size() + 128);
  stun::MessageWriter writer(out, {view->message_class, view->transaction});
  if (view->username) writer.attribute(0x0006, core::as_bytes(*view->username));
  if (view->priority) writer.priority(*view->priority);
  if (view->xor_mapped_address) writer.xor_mapped_address(*view->xor_mapped_address);
  if (view->ice_controlling) writer.ice_controlling(*view->ice_controlling);
  if (view->error) writer.error_code(*view->error);
  if (view->use_candidate) writer.use_candidate();
  const auto again = stun::MessageView::parse(writer.finish(kKey));
  require(again.has_value());
  require(again->check_integrity(kKey) == stun::Integrity::Right);
  require(again->message_class == view->message_class && again->transaction == view->transaction);
  require(again->username == view->username && again->priority == view->priority);
  require(again->xor_mapped_address == view->xor_mapped_address &&
          again->use_candidate == view->use_candidate);
  require(again->ice_controlling == view->ice_controlling);
  require(again->error.has_value() == view->error.has_value());
  if (view->error)
    require(again->error->code == view->error->code && again->error->reason == view->error->reason);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check({data, size});
  if (size < stun::kHeaderSize || size > 1500) return 0;
  Buffer fixed(data, data + size / 4 * 4);
  fixed[0] &= 0x3f;
  core::store_u16(&fixed[2], static_cast<uint16_t>(fixed.size() - stun::kHeaderSize));
  core::store_u32(&fixed[4], stun::kMagicCookie);
  check(fixed);
  const size_t before = fixed.size();
  fixed.resize(before + 8);
  core::store_u16(&fixed[2], static_cast<uint16_t>(fixed.size() - stun::kHeaderSize));
  core::store_u32(&fixed[before], 0x80280004);
  core::store_u32(&fixed[before + 4], huitang::crypto::crc32(Bytes(fixed).first(before)) ^ 0x5354554e);
  check(fixed);
  return 0;
}
