// A test's own account of every SRTP and SRTCP index that left under each key: none may come twice.
#pragma once

#include <map>
#include <set>
#include <tuple>

#include "core/transmit.h"
#include "core/unwrap.h"
#include "rtp/demux.h"

namespace huitang::worker {

class IndexLedger {
 public:
  /// Of a datagram under an AEAD profile; what is neither RTP nor RTCP is passed over.
  void note(const core::Transmit& datagram) {
    const core::Bytes bytes = datagram.bytes;
    const rtp::PacketClass kind = rtp::classify(bytes);
    if (kind == rtp::PacketClass::Rtp) {
      const uint32_t ssrc = core::load_u32(bytes.data() + 8);
      enter({datagram.to, ssrc, false},
            numbers_[{datagram.to, ssrc}].unwrap(core::load_u16(bytes.data() + 2)));
    } else if (kind == rtp::PacketClass::Rtcp) {
      // RFC 7714 section 9.2: the E bit and the index come last.
      const uint32_t word = core::load_u32(bytes.data() + bytes.size() - 4);
      enter({datagram.to, core::load_u32(bytes.data() + 4), true}, word & 0x7fffffff);
    }
  }
  size_t entries() const { return used_.size(); }
  /// Indices that were used again.
  size_t reused() const { return reused_; }

 private:
  using Stream = std::tuple<core::SocketAddress, uint32_t, bool>;
  void enter(const Stream& stream, int64_t index) { reused_ += !used_.insert({stream, index}).second; }

  std::map<std::pair<core::SocketAddress, uint32_t>, core::Unwrapper<uint16_t>> numbers_;
  std::set<std::pair<Stream, int64_t>> used_;
  size_t reused_ = 0;
};

}  // namespace huitang::worker
