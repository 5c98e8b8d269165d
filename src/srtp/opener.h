// Verification and decryption of inbound RTP and RTCP (RFC 3711, RFC 7714): one Opener per peer and
// direction.
//
// The roll-over counter of each SSRC is estimated as RFC 3711 section 3.3.1 says, replays are refused, and
// nothing is remembered of an SSRC before a packet of it proved authentic. Fed by the peer with datagrams
// from validated addresses.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "srtp/backend.h"
#include "srtp/key.h"
#include "srtp/replay_window.h"

namespace huitang::srtp {

class PacketCipher;

enum class SrtpError {
  Truncated,       ///< shorter than header and tag
  Replayed,        ///< seen, or too old to know
  BadTag,          ///< not authentic
  TooManySources,  ///< authentic, but `max_sources` SSRCs are known already
  Unencrypted,     ///< SRTCP without the E bit, which WebRTC forbids
};
const char* to_string(SrtpError error);

struct OpenerConfig {
  uint32_t rtp_window = 1024;  ///< packets; a multiple of 64 in 64..1024
  uint32_t rtcp_window = 128;
  uint32_t max_sources = 64;
};

struct OpenerCounters {
  uint64_t opened = 0;
  uint64_t truncated = 0, replayed = 0, bad_tag = 0, too_many_sources = 0, unencrypted = 0;
};

/// For hand-over to another process.
struct OpenerState {
  struct Window {
    uint32_t ssrc = 0;
    uint64_t highest = 0;
    std::vector<uint64_t> seen;
  };
  KeyMaterial key;
  std::vector<Window> rtp;
  std::vector<Window> rtcp;
  OpenerCounters counters;
};

class Opener {
 public:
  using Counters = OpenerCounters;

  Opener(Backend& backend, const KeyMaterial& key, const OpenerConfig& config = {});
  Opener(Backend& backend, const OpenerState& state, const OpenerConfig& config = {});
  Opener(Opener&&) noexcept;
  Opener& operator=(Opener&&) noexcept;
  ~Opener();

  Profile profile() const { return key_.profile; }

  /// Decrypts the payload in place. `header_size` covers CSRCs and extensions; `ssrc` and `seq` are what the
  /// header says. Returns the size of the RTP packet without the tag. After an error the packet's bytes are
  /// undefined.
  core::Result<size_t, SrtpError> open_rtp(core::MutableBytes packet, size_t header_size, uint32_t ssrc,
                                           uint16_t seq);

  /// The same for RTCP; returns the size without tag and index.
  core::Result<size_t, SrtpError> open_rtcp(core::MutableBytes packet);

  /// The 48-bit index of the newest packet of an SSRC; 0 when unknown.
  uint64_t highest_index(uint32_t ssrc) const;
  size_t source_count() const { return rtp_sources_.ssrcs.size(); }
  const Counters& counters() const { return counters_; }
  OpenerState export_state() const;

 private:
  /// Replay windows by SSRC; the numbers lie together, because a packet looks them through one after another.
  struct SourceTable {
    explicit SourceTable(uint32_t max_sources);
    ReplayWindow* find(uint32_t ssrc);
    const ReplayWindow* find(uint32_t ssrc) const;
    std::vector<uint32_t> ssrcs;
    std::vector<ReplayWindow> windows;
  };
  bool open_rtp_bytes(core::MutableBytes packet, size_t header_size, uint32_t ssrc, uint64_t index);
  bool open_rtcp_bytes(core::MutableBytes packet, uint32_t ssrc, uint32_t index_word);
  bool remember(SourceTable& sources, ReplayWindow* window, uint32_t ssrc, uint64_t index,
                uint32_t window_size);
  core::Result<size_t, SrtpError> refuse(SrtpError error);

  KeyMaterial key_;
  OpenerConfig config_;
  std::unique_ptr<PacketCipher> rtp_;
  std::unique_ptr<PacketCipher> rtcp_;
  SourceTable rtp_sources_;
  SourceTable rtcp_sources_;
  Counters counters_;
};

/// The 48-bit index of a packet by its 16-bit number: the roll-over counter that brings it nearest to
/// `highest` (RFC 3711 section 3.3.1).
uint64_t estimate_index(uint64_t highest, uint16_t seq);

}  // namespace huitang::srtp
