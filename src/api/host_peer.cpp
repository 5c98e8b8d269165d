// The conference host's family of media messages: Offer and SetView.
#include "api/conference_host.h"
#include "api/wire.h"
#include "huitang/v1/media.pb.h"

namespace huitang::api {
namespace {

constexpr size_t kMaxSdp = 256 * 1024;
constexpr int kMaxLines = 64;
constexpr int kMaxViewSlots = 64;

v1::MediaMessage to_open_peer(const Session& session, const v1::Offer& offer, GroupId hint) {
  v1::MediaMessage message;
  v1::OpenPeer& open = *message.mutable_open_peer();
  open.set_peer(session.peer.value());
  open.set_offer(offer.sdp());
  *open.mutable_lines() = offer.lines();
  open.set_group_hint(hint.value());
  open.set_is_member(session.is_in());
  return message;
}

}  // namespace

void ConferenceHost::handle_offer(Socket& socket, const v1::ClientMessage& message) {
  Session& session = *session_of(socket);
  const v1::Offer& offer = message.offer();
  if (offer.sdp().empty() || offer.sdp().size() > kMaxSdp || offer.lines_size() > kMaxLines)
    return refuse(socket, message.id(), v1::REFUSAL_CODE_BAD_SDP, "the offer is empty or beyond its limits");
  if (!media_->is_ready())
    return refuse(socket, message.id(), v1::REFUSAL_CODE_MEDIA_UNAVAILABLE, "the media process is away", {},
                  2);
  if (session.peer_life == PeerLife::Opening && !offer.new_peer())
    return refuse(socket, message.id(), v1::REFUSAL_CODE_CONFLICT, "the offer before is not answered yet", {},
                  1);
  if (offer.new_peer()) close_peer(session);
  const PeerLife before = session.peer_life;
  const uint32_t serial = ++session.offers;
  if (before == PeerLife::None) session.peer_life = PeerLife::Opening;
  // Peers of one conference meet on one worker; a page says which it is about before it joins. Whether there is
  // such a conference must not show in the worker's port.
  const GroupId about = group_of(session.conference.empty() ? offer.number() : session.conference);
  media_->request(to_open_peer(session, offer, about),
                  [this, alive = std::weak_ptr(alive_), id = session.id, asked = socket.id,
                   reply_to = message.id(), before, serial](const v1::MediaMessage* reply) {
                    Session* now = alive.expired() ? nullptr : find_session(id);
                    if (now == nullptr) return;
                    const auto at = sockets_.find(asked);
                    if (now->offers != serial) {
                      if (at != sockets_.end())
                        refuse(*at->second, reply_to, v1::REFUSAL_CODE_CONFLICT, "a newer offer has come");
                      return;
                    }
                    const bool opened = reply != nullptr && reply->has_peer_opened();
                    if (now->peer_life == PeerLife::Opening)
                      now->peer_life = opened ? PeerLife::Open : before;
                    if (opened) now->worker = reply->peer_opened().worker();
                    LiveConference* live = now->is_in() ? find_conference(now->conference) : nullptr;
                    if (opened && live != nullptr) sync_media(*live);
                    if (at == sockets_.end()) return;
                    if (!opened) {
                      const bool gone = reply == nullptr;
                      const v1::RefusalCode code = gone ? v1::REFUSAL_CODE_MEDIA_UNAVAILABLE
                                                   : reply->error().code() == v1::REFUSAL_CODE_UNSPECIFIED
                                                       ? v1::REFUSAL_CODE_INTERNAL
                                                       : reply->error().code();
                      return refuse(*at->second, reply_to, code,
                                    gone ? "the media process went away" : reply->error().detail(), {},
                                    code == v1::REFUSAL_CODE_BOX_FULL ? kFullRetrySeconds : 0);
                    }
                    v1::ServerMessage answer;
                    answer.set_reply_to(reply_to);
                    answer.mutable_answer()->set_sdp(reply->peer_opened().answer());
                    send(*at->second, answer);
                  });
}

void ConferenceHost::handle_set_view(Socket& socket, const v1::ClientMessage& message) {
  Session& session = *session_of(socket);
  LiveConference* live = session.is_in() ? find_conference(session.conference) : nullptr;
  if (live == nullptr) return refuse(socket, message.id(), v1::REFUSAL_CODE_NOT_IN, "not in a conference");
  if (message.set_view().slots_size() > kMaxViewSlots)
    return refuse(socket, message.id(), v1::REFUSAL_CODE_BAD_REQUEST, "a view has at most 64 slots");
  View asked = from_wire(message.set_view());
  // Sources that are nobody's are left out: their owner may just have gone. One's own are a mistake.
  const conference::Participant* self = live->ledger.written().find(session.participant);
  for (const ShownSlot& slot : asked)
    for (const v1::SourceKind kind : conference::kSourceKinds)
      if (self != nullptr && slot.source == self->source(kind).value())
        return refuse(socket, message.id(), v1::REFUSAL_CODE_BAD_REQUEST, "nobody is shown his own picture");
  session.view = std::move(asked);
  sync_media(*live);
  v1::ServerMessage answer;
  answer.set_reply_to(message.id());
  answer.mutable_view_done();
  if (message.id() != 0) send(socket, answer);
}

void ConferenceHost::close_peer(Session& session) {
  if (session.peer_life == PeerLife::None) return;
  session.peer_life = PeerLife::None;
  session.peer_connected = false;
  session.paused.reset();
  ++session.offers;
  session.worker.reset();
  session.demands.clear();
  LiveConference* live = session.is_in() ? find_conference(session.conference) : nullptr;
  if (live != nullptr) live->held.forget(session.peer);
  v1::MediaMessage close;
  close.mutable_close_peer()->set_peer(session.peer.value());
  ask_node(std::move(close));
}

}  // namespace huitang::api
