// Microphone, camera, and the peer that carries them.
#include "conference/operation.h"

namespace huitang::conference {

// Opening by oneself also takes away the chair's block, where the conference lets people do that.
Verdict decide_set_microphone(Turn& turn, const SetMicrophone& set) {
  const Participant& own = *turn.actor_entity();
  const bool is_bound =
      own.muted_by_chair && !turn.info().settings.may_unmute_self && !own.has_chair_rights();
  if (set.on && is_bound)
    return refuse(v1::REFUSAL_CODE_MUTED_BY_CHAIR, "the chair keeps this microphone closed");
  Participant& p = turn.edit(own.id);
  p.muted_by_self = !set.on;
  if (set.on) p.muted_by_chair = false;
  return {};
}

Verdict decide_set_camera(Turn& turn, const SetCamera& set) {
  turn.edit(*turn.actor().participant).camera_on = set.on;
  return {};
}

Verdict decide_peer_connected(Turn& turn, const PeerConnected& peer) {
  if (Verdict listed = require_listed(turn, peer.who); !listed) return listed;
  turn.edit(peer.who).peer_connected = true;
  return {};
}

Verdict decide_peer_gone(Turn& turn, const PeerGone& peer) {
  if (Verdict listed = require_listed(turn, peer.who); !listed) return listed;
  turn.edit(peer.who).peer_connected = false;
  return {};
}

}  // namespace huitang::conference
