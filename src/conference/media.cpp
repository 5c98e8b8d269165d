// What media may do follows from the state, and intents from the difference of two states; no operation names
// media.
#include "conference/media.h"

namespace huitang::conference {

bool is_muted(const Info&, const Participant& p) { return p.muted_by_self || p.muted_by_chair; }

bool is_forwarded(const Info& info, const Participant& p, v1::SourceKind kind) {
  switch (kind) {
    case v1::SOURCE_KIND_MICROPHONE: return !is_muted(info, p);
    case v1::SOURCE_KIND_CAMERA: return p.camera_on;
    case v1::SOURCE_KIND_SCREEN: return p.is_sharing();
    case v1::SOURCE_KIND_SCREEN_AUDIO: return p.share == Share::PictureAndSound;
    default: return false;  // UNSPECIFIED, and protobuf's sentinels
  }
}

bool is_active(const Info& info, const Participant& p, v1::SourceKind kind) {
  return p.peer_connected && is_forwarded(info, p, kind);
}

namespace {

struct Intents {
  std::vector<MediaIntent> closing;
  std::vector<MediaIntent> opening;
};

void add_source(Intents& out, const Info& info, const Participant& p, v1::SourceKind kind) {
  const bool forwarded = is_forwarded(info, p, kind);
  (forwarded ? out.opening : out.closing).push_back(ForwardSource{p.id, kind, p.source(kind), forwarded});
}

void add_everything(Intents& out, const Info& info, const Participant& p) {
  out.opening.push_back(Listen{p.id});
  for (const v1::SourceKind kind : kSourceKinds) add_source(out, info, p, kind);
}

struct View {
  const Info& info;
  const Participant& participant;
};
void add_difference(Intents& out, View before, View after) {
  for (const v1::SourceKind kind : kSourceKinds) {
    const bool was = is_forwarded(before.info, before.participant, kind);
    if (was != is_forwarded(after.info, after.participant, kind))
      add_source(out, after.info, after.participant, kind);
  }
}

void add_changed(Intents& out, const State& before, const Info& info, const Participant& p) {
  const auto known = before.participants.find(p.id);
  const bool needs_all =
      known == before.participants.end() || (p.peer_connected && !known->second.peer_connected);
  if (needs_all)
    add_everything(out, info, p);
  else
    add_difference(out, {before.info, known->second}, {info, p});
}

}  // namespace

std::vector<MediaIntent> media_of(const Info& info, const Participant& p) {
  Intents out;
  add_everything(out, info, p);
  out.opening.insert(out.opening.end(), out.closing.begin(), out.closing.end());
  return out.opening;
}

std::vector<MediaIntent> media_following(const State& before, const Change& change) {
  const Info& info = change.info ? *change.info : before.info;
  Intents out;
  for (const Gone& g : change.gone)
    out.closing.push_back(LetGo{g.id, before.participants.at(g.id).first_source, g.reason});
  for (const Participant& p : change.participants) add_changed(out, before, info, p);
  out.closing.insert(out.closing.end(), out.opening.begin(), out.opening.end());
  if (info.ended && !before.info.ended) out.closing.push_back(CloseGroup{});
  return out.closing;
}

}  // namespace huitang::conference
