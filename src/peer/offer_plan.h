// What an offer would change, worked out completely before anything is changed: a bad offer leaves no trace.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.h"
#include "core/random.h"
#include "core/result.h"
#include "dtls/fingerprint.h"
#include "ice/credentials.h"
#include "ice/lite_agent.h"
#include "peer/types.h"
#include "sdp/answer.h"

namespace huitang::peer {

/// The first six video slots share a media stream with the audio slot of their number: a browser keeps only
/// the first pair of each stream in lip sync (DESIGN.md section 4).
inline constexpr uint32_t kPairedSlots = 6;

/// What a peer is before the offer, and what it wants.
struct OfferContext {
  std::span<const core::SocketAddress> addresses;
  std::span<const sdp::Codec> codecs;
  std::span<const sdp::HeaderExtension> extensions;
  uint32_t max_simulcast_layers = 4;
  const dtls::Fingerprint* fingerprint = nullptr;  ///< ours
  core::Random* random = nullptr;
  std::string_view cname;
  uint64_t session_id = 0;
  uint32_t offers = 0;  ///< accepted before
  uint32_t feedback_ssrc = 0;
  std::span<const Line> lines;
  std::span<const SlotLine> slots;
  // After the first offer:
  const ice::Credentials* local = nullptr;
  const ice::Credentials* remote = nullptr;
  std::span<const dtls::Fingerprint> remote_fingerprints;
};

/// What it will be after it.
struct OfferPlan {
  std::string answer;
  sdp::Negotiated negotiated;
  std::vector<Line> lines;
  std::vector<SourceLine> sources;
  std::vector<SlotLine> slots;
  rtp::ExtensionIds extension_ids;
  std::optional<ice::LiteAgent::Generation> generation;  ///< first offer or ICE restart
  ice::Credentials remote;
  std::vector<dtls::Fingerprint> remote_fingerprints;
};

core::Result<OfferPlan, PeerError> plan_offer(const OfferContext& context, std::string_view offer,
                                              std::span<const Line> lines);

}  // namespace huitang::peer
