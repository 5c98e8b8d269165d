#include "sdp/session_description.h"

namespace huitang::sdp {

std::string to_string(const SdpError& error) {
  std::string text = error.line != 0 ? "line " + std::to_string(error.line) + ": " : std::string();
  return text + to_string(error.code) + ": " + error.reason;
}

std::string_view to_string(Direction direction) {
  switch (direction) {
    case Direction::SendRecv: return "sendrecv";
    case Direction::SendOnly: return "sendonly";
    case Direction::RecvOnly: return "recvonly";
    case Direction::Inactive: return "inactive";
  }
  return "?";
}

std::string_view to_string(Setup setup) {
  switch (setup) {
    case Setup::ActPass: return "actpass";
    case Setup::Active: return "active";
    case Setup::Passive: return "passive";
    case Setup::HoldConn: return "holdconn";
  }
  return "?";
}

std::string_view to_string(MediaKind kind) {
  switch (kind) {
    case MediaKind::Audio: return "audio";
    case MediaKind::Video: return "video";
    case MediaKind::Application: return "application";
    case MediaKind::Other: return "other";
  }
  return "?";
}

Direction reversed(Direction direction) {
  switch (direction) {
    case Direction::SendOnly: return Direction::RecvOnly;
    case Direction::RecvOnly: return Direction::SendOnly;
    case Direction::SendRecv:
    case Direction::Inactive: break;
  }
  return direction;
}

const RtpMap* MediaDescription::find_rtpmap(uint8_t payload_type) const {
  for (const RtpMap& map : rtpmaps)
    if (map.payload_type == payload_type) return &map;
  return nullptr;
}

std::string_view MediaDescription::fmtp_of(uint8_t payload_type) const {
  for (const Fmtp& fmtp : fmtps)
    if (fmtp.payload_type == payload_type) return fmtp.parameters;
  return {};
}

const Group* SessionDescription::bundle() const {
  for (const Group& group : groups)
    if (group.semantics == "BUNDLE") return &group;
  return nullptr;
}

const MediaDescription* SessionDescription::find_media(std::string_view mid) const {
  for (const MediaDescription& section : media)
    if (section.mid == mid) return &section;
  return nullptr;
}

}  // namespace huitang::sdp
