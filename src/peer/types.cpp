#include "peer/types.h"

namespace huitang::peer {

const char* to_string(PeerState state) {
  switch (state) {
    case PeerState::New: return "new";
    case PeerState::Connecting: return "connecting";
    case PeerState::Connected: return "connected";
    case PeerState::Disconnected: return "disconnected";
    case PeerState::Failed: return "failed";
  }
  return "?";
}

const char* to_string(StateReason reason) {
  switch (reason) {
    case StateReason::None: return "";
    case StateReason::NeverReached: return "no connectivity check ever came";
    case StateReason::ConsentLost: return "no connectivity check for 30 seconds";
    case StateReason::WrongFingerprint: return "not the certificate that the offer announced";
    case StateReason::NoCommonProfile: return "no SRTP profile in common";
    case StateReason::HandshakeTimeout: return "the DTLS handshake did not end";
    case StateReason::HandshakeProtocol: return "the DTLS handshake failed";
    case StateReason::ClosedByClient: return "closed by the client";
    case StateReason::ClosedByNode: return "closed by the node";
  }
  return "?";
}

const char* to_string(PeerErrorCode code) {
  switch (code) {
    case PeerErrorCode::BadOffer: return "bad offer";
    case PeerErrorCode::BadLines: return "bad lines";
    case PeerErrorCode::LinesChanged: return "lines changed";
    case PeerErrorCode::NewTransport: return "new transport";
    case PeerErrorCode::Ended: return "ended";
  }
  return "?";
}

}  // namespace huitang::peer
