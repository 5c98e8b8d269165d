#include "peer/offer_plan.h"

#include <algorithm>

#include "sdp/limits.h"
#include "sdp/session_description.h"

namespace huitang::peer {
namespace {

using core::err;

std::optional<PeerError> check_lines(const OfferContext& context, std::span<const Line> lines) {
  if (lines.empty()) return PeerError{PeerErrorCode::BadLines, "no lines are announced"};
  if (lines.size() > sdp::kMaxMediaSections) return PeerError{PeerErrorCode::BadLines, "too many lines"};
  for (size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    if (line.use < LineUse::Microphone || line.use > LineUse::ShareSlot) {
      return PeerError{PeerErrorCode::BadLines, "a line of unknown use"};
    }
    if (sdp::is_source(line.use) && line.index != 0) {
      return PeerError{PeerErrorCode::BadLines, "a source line with an index"};
    }
    for (const Line& other : lines.first(i)) {
      if (other.mid == line.mid) return PeerError{PeerErrorCode::BadLines, "two lines with one mid"};
      if (other.use == line.use && other.index == line.index) {
        return PeerError{PeerErrorCode::BadLines, "two lines of one use and index"};
      }
    }
  }
  for (const Line& known : context.lines) {
    if (std::find(lines.begin(), lines.end(), known) == lines.end()) {
      return PeerError{PeerErrorCode::LinesChanged,
                       "a line of an earlier offer is missing or changed: " + known.mid};
    }
  }
  return std::nullopt;
}

std::optional<PeerError> check_kinds(const sdp::SessionDescription& offer, std::span<const Line> lines) {
  for (const Line& line : lines) {
    const sdp::MediaDescription* media = offer.find_media(line.mid);
    if (media == nullptr) return PeerError{PeerErrorCode::BadLines, "no m-line has the mid " + line.mid};
    if (media->kind != sdp::kind_of(line.use)) {
      return PeerError{PeerErrorCode::BadLines, "the m-line is of another kind than its use: " + line.mid};
    }
  }
  return std::nullopt;
}

// Those in an order that never changes: what was known before, then what is new.
std::vector<Line> merge_lines(std::span<const Line> known, std::span<const Line> lines) {
  std::vector<Line> out(known.begin(), known.end());
  for (const Line& line : lines) {
    if (std::find(known.begin(), known.end(), line) == known.end()) out.push_back(line);
  }
  return out;
}

class SsrcMaker {
 public:
  SsrcMaker(const OfferContext& context, const sdp::SessionDescription& offer) : random_(*context.random) {
    taken_ = {0, context.feedback_ssrc};
    for (const SlotLine& slot : context.slots) taken_.insert(taken_.end(), {slot.ssrc, slot.rtx_ssrc});
    for (const auto& media : offer.media) {
      for (const auto& attribute : media.ssrcs) taken_.push_back(attribute.ssrc);
    }
  }
  uint32_t make() {
    uint32_t ssrc = 0;
    while (std::find(taken_.begin(), taken_.end(), ssrc) != taken_.end()) ssrc = random_.u32();
    taken_.push_back(ssrc);
    return ssrc;
  }

 private:
  core::Random& random_;
  std::vector<uint32_t> taken_;
};

std::vector<SlotLine> make_slots(const OfferContext& context, std::span<const Line> lines, SsrcMaker& ssrcs) {
  std::vector<SlotLine> slots(context.slots.begin(), context.slots.end());
  for (const Line& line : lines) {
    const auto is_same = [&](const SlotLine& s) { return s.line == line; };
    if (sdp::is_source(line.use) || std::any_of(slots.begin(), slots.end(), is_same)) continue;
    SlotLine slot;
    slot.line = line;
    slot.ssrc = ssrcs.make();
    if (sdp::kind_of(line.use) == sdp::MediaKind::Video) slot.rtx_ssrc = ssrcs.make();
    slots.push_back(std::move(slot));
  }
  return slots;
}

std::string stream_of(const Line& slot) {
  const std::string number = std::to_string(slot.index);
  if (slot.use == LineUse::ShareSlot) return "share-" + number;
  if (slot.index < kPairedSlots) return "pair-" + number;
  return (slot.use == LineUse::AudioSlot ? "audio-" : "video-") + number;
}

std::string track_of(const Line& slot) {
  const char* kind = slot.use == LineUse::AudioSlot ? "a" : slot.use == LineUse::VideoSlot ? "v" : "s";
  return kind + std::to_string(slot.index);
}

std::vector<sdp::LinePlan> to_line_plans(std::span<const Line> lines, std::span<const SlotLine> slots) {
  std::vector<sdp::LinePlan> plans;
  for (const Line& line : lines) {
    sdp::LinePlan plan;
    plan.mid = line.mid;
    if (!sdp::is_source(line.use)) {
      const auto slot =
          std::find_if(slots.begin(), slots.end(), [&](const SlotLine& s) { return s.line == line; });
      plan.role = sdp::LinePlan::Role::Slot;
      plan.ssrc = slot->ssrc;
      plan.rtx_ssrc = slot->rtx_ssrc;
      plan.stream = stream_of(line);
      plan.track = track_of(line);
    }
    plans.push_back(std::move(plan));
  }
  return plans;
}

std::vector<sdp::Candidate> to_candidates(std::span<const core::SocketAddress> addresses) {
  std::vector<sdp::Candidate> out;
  for (size_t i = 0; i < addresses.size(); ++i) {
    sdp::Candidate c;
    c.foundation = std::to_string(i + 1);
    c.transport = "udp";
    // RFC 8445 section 5.1.2.1: host type preference 126, then our order, then component 1.
    c.priority = 126u << 24 | (65535u - static_cast<uint32_t>(i)) << 8 | 255u;
    c.address = core::to_string(addresses[i].ip);
    c.port = addresses[i].port;
    c.type = "host";
    out.push_back(std::move(c));
  }
  return out;
}

std::vector<dtls::Fingerprint> to_fingerprints(std::span<const sdp::Fingerprint> fingerprints) {
  std::vector<dtls::Fingerprint> out;
  for (const sdp::Fingerprint& f : fingerprints) {
    for (const auto algorithm :
         {dtls::HashAlgorithm::Sha256, dtls::HashAlgorithm::Sha384, dtls::HashAlgorithm::Sha512}) {
      if (f.hash != dtls::to_string(algorithm) || f.value.size() != dtls::digest_size(algorithm)) continue;
      out.push_back({algorithm, f.value});
    }
  }
  return out;
}

std::optional<PeerError> take_transport(const OfferContext& context, const sdp::RemoteTransport& remote,
                                        OfferPlan& plan) {
  plan.remote = {remote.ice_ufrag, remote.ice_pwd};
  if (!ice::is_well_formed(plan.remote))
    return PeerError{PeerErrorCode::BadOffer, "malformed ICE credentials"};
  plan.remote_fingerprints = to_fingerprints(remote.fingerprints);
  if (plan.remote_fingerprints.empty()) {
    return PeerError{PeerErrorCode::BadOffer, "no certificate fingerprint with SHA-256, -384 or -512"};
  }
  if (!context.remote_fingerprints.empty() &&
      !std::equal(plan.remote_fingerprints.begin(), plan.remote_fingerprints.end(),
                  context.remote_fingerprints.begin(), context.remote_fingerprints.end())) {
    return PeerError{PeerErrorCode::NewTransport, "another certificate than in the first offer"};
  }
  return std::nullopt;
}

rtp::ExtensionIds to_extension_ids(const sdp::Negotiated& negotiated) {
  rtp::ExtensionIds ids;
  for (const auto& line : negotiated.lines) {
    for (size_t i = 0; i < sdp::kHeaderExtensions; ++i) {
      uint8_t& id = ids.of(static_cast<rtp::ExtensionKind>(i));
      if (id == 0) id = line.extensions.ids[i];
    }
  }
  return ids;
}

void take_lines(OfferPlan& plan) {
  for (const Line& line : plan.lines) {
    const sdp::NegotiatedLine* negotiated = plan.negotiated.find_line(line.mid);
    const bool is_rejected = negotiated == nullptr || negotiated->rejected;
    const auto codecs = is_rejected ? std::vector<sdp::NegotiatedCodec>() : negotiated->codecs;
    if (sdp::is_source(line.use)) {
      plan.sources.push_back(
          {line, is_rejected, codecs, is_rejected ? std::vector<std::string>() : negotiated->rids});
      continue;
    }
    for (SlotLine& slot : plan.slots) {
      if (slot.line != line) continue;
      slot.is_rejected = is_rejected;
      slot.codecs = codecs;
    }
  }
}

sdp::AnswerConfig to_answer_config(const OfferContext& context, const OfferPlan& plan) {
  sdp::AnswerConfig config;
  config.session_id = context.session_id;
  config.session_version = context.offers + 1;
  config.candidates = to_candidates(context.addresses);
  config.fingerprint = {std::string(dtls::to_string(context.fingerprint->algorithm)),
                        context.fingerprint->digest};
  config.cname = context.cname;
  config.codecs.assign(context.codecs.begin(), context.codecs.end());
  config.extensions.assign(context.extensions.begin(), context.extensions.end());
  config.max_simulcast_layers = context.max_simulcast_layers;
  config.lines = to_line_plans(plan.lines, plan.slots);
  return config;
}

core::Result<sdp::Answer, sdp::SdpError> answer_with(sdp::AnswerConfig& config,
                                                     const sdp::SessionDescription& offer,
                                                     const ice::Credentials& local) {
  config.ice_ufrag = local.ufrag;
  config.ice_pwd = local.password;
  return sdp::make_answer(offer, config);
}

// RFC 8445 section 9 and RFC 8839 section 4.4.1.1: new credentials are an ICE restart, the same ones are not.
bool is_ice_restart(const sdp::RemoteTransport& offered, const ice::Credentials& known) {
  return offered.ice_ufrag != known.ufrag || offered.ice_pwd != known.password;
}

}  // namespace

core::Result<OfferPlan, PeerError> plan_offer(const OfferContext& context, std::string_view offer,
                                              std::span<const Line> lines) {
  if (auto wrong = check_lines(context, lines)) return err(std::move(*wrong));
  const auto description = sdp::parse_session_description(offer);
  if (!description) return err(PeerError{PeerErrorCode::BadOffer, sdp::to_string(description.error())});
  if (auto wrong = check_kinds(*description, lines)) return err(std::move(*wrong));

  OfferPlan plan;
  plan.lines = merge_lines(context.lines, lines);
  SsrcMaker ssrcs(context, *description);
  plan.slots = make_slots(context, plan.lines, ssrcs);
  ice::Credentials local = context.local ? *context.local : ice::make_credentials(*context.random);
  sdp::AnswerConfig config = to_answer_config(context, plan);
  auto answer = answer_with(config, *description, local);
  bool is_new_generation = context.remote == nullptr;
  if (answer && context.remote && is_ice_restart(answer->negotiated.remote, *context.remote)) {
    is_new_generation = true;
    local = ice::make_credentials(*context.random);
    answer = answer_with(config, *description, local);
  }
  if (!answer) return err(PeerError{PeerErrorCode::BadOffer, sdp::to_string(answer.error())});

  plan.negotiated = std::move(answer->negotiated);
  plan.answer = std::move(answer->text);
  if (auto wrong = take_transport(context, plan.negotiated.remote, plan)) return err(std::move(*wrong));
  if (is_new_generation) plan.generation = {local, plan.remote.ufrag};
  plan.extension_ids = to_extension_ids(plan.negotiated);
  take_lines(plan);
  return plan;
}

}  // namespace huitang::peer
