// What a peer is, as plain values, for its continuation in another process of the same machine. Instants carry
// over, because the clock is the same one. The OpenSSL association cannot move, so a peer goes on by its SRTP
// keys alone (docs/deviations/dtls.md); one whose handshake is under way cannot be taken along.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bwe/twcc_recorder.h"
#include "core/time.h"
#include "dtls/fingerprint.h"
#include "ice/lite_agent.h"
#include "peer/types.h"
#include "rtp/extension.h"
#include "srtp/opener.h"
#include "srtp/sealer.h"

namespace huitang::peer {

struct PeerHandOver {
  PeerId id;
  PeerState state = PeerState::New;
  StateReason reason = StateReason::None;
  core::Instant connect_by;
  core::Instant handshake_by;
  ice::LiteAgentState ice;
  std::optional<srtp::OpenerState> opener;  ///< with the sealer, or none of both
  std::optional<srtp::SealerState> sealer;
  bwe::TwccRecorderState feedback;

  std::vector<SourceLine> sources;
  std::vector<SlotLine> slots;
  std::vector<Line> lines;  ///< in the order of the m-lines
  rtp::ExtensionIds extension_ids;
  std::vector<InboundStream> streams;
  uint32_t feedback_ssrc = 0;
  std::string cname;
  uint64_t session_id = 0;
  uint32_t offers = 0;
  ice::Credentials remote_credentials;
  std::vector<dtls::Fingerprint> remote_fingerprints;
  PeerCounters counters;
};

}  // namespace huitang::peer
