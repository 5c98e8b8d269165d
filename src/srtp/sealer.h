// Protection of outbound RTP and RTCP (RFC 3711; AEAD as RFC 7714): one Sealer per peer and direction.
//
// The header and the payload of a packet come separately, so that the payload, which is shared by all
// receivers, is encrypted straight from its one buffer into the send slot of each.
//
// The 48-bit index (roll-over counter and sequence number) of every packet is the caller's, per SSRC. **An
// index must never be used twice for one SSRC under one key**: with GCM a second packet under the same nonce
// gives away the authentication key. A caller therefore numbers strictly upward, retransmits on the RTX
// stream with numbers of its own, and after a hand-over continues above every number that may have been used.
// SRTCP indices are kept here.
//
// Leaves out: encrypted header extensions (RFC 6904, 9335), MKI, key derivation rates, unencrypted SRTCP.
#pragma once

#include <memory>
#include <span>

#include "core/bytes.h"
#include "srtp/backend.h"
#include "srtp/key.h"

namespace huitang::srtp {

/// Bytes that sealing can add, for sizing slots: tag and, for RTCP, the index word.
inline constexpr size_t kMaxRtpOverhead = 16;
inline constexpr size_t kMaxRtcpOverhead = 20;

/// For hand-over to another process.
struct SealerState {
  KeyMaterial key;
  uint32_t next_rtcp_index = 0;  ///< 31 bits
};

class PacketCipher;
class Sealer;

/// One packet of a batch; a batch may mix Sealers of one Backend, which is the usual case (one packet, many
/// receivers).
struct SealJob {
  Sealer* sealer = nullptr;
  uint64_t index = 0;      ///< ROC << 16 | SEQ, SEQ as in the header
  core::Bytes header;      ///< fixed header, CSRCs and extensions; sent in clear
  core::Bytes payload;     ///< with RTP padding if any; may be empty
  core::MutableBytes out;  ///< room for all and the tag; `header` may already lie at its start
  size_t size = 0;  ///< result: bytes in `out`; 0 when refused (no room, header under 12 bytes, index spent)
};

class Sealer {
 public:
  Sealer(Backend& backend, const KeyMaterial& key);
  /// Continues what another process began.
  Sealer(Backend& backend, const SealerState& state);
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;
  ~Sealer();

  Profile profile() const { return key_.profile; }
  size_t rtp_overhead() const { return crypto::srtp_tag_size(key_.profile); }
  size_t rtcp_overhead() const { return rtp_overhead() + 4; }

  /// Bytes written to `out`; 0 when `out` is short, the header under 12 bytes or the index past 48 bits.
  /// `payload` and `out` do not overlap, except when the payload lies exactly where it goes.
  size_t seal_rtp(uint64_t index, core::Bytes header, core::Bytes payload, core::MutableBytes out);

  /// A compound RTCP packet (or one, RFC 5506). Bytes written; 0 when `out` is short, the packet under 8
  /// bytes or the 2^31 indices of the key are spent. `out` may start at the address of `packet`.
  size_t seal_rtcp(core::Bytes packet, core::MutableBytes out);

  SealerState export_state() const { return {key_, next_rtcp_index_}; }

 private:
  friend void seal_rtp_batch(Backend& backend, std::span<SealJob> jobs);
  bool fits(uint64_t index, core::Bytes header, core::Bytes payload, core::MutableBytes out) const;

  KeyMaterial key_;
  std::unique_ptr<PacketCipher> rtp_;
  std::unique_ptr<PacketCipher> rtcp_;
  uint32_t next_rtcp_index_ = 0;
};

/// Seals a run of packets; a back-end may work on several at once. Sets `size` of each job.
void seal_rtp_batch(Backend& backend, std::span<SealJob> jobs);

}  // namespace huitang::srtp
