// The two services and the way through them.
#pragma once

#include "doctor/finding.h"

namespace huitang::doctor {

struct ServeFacts {
  bool is_reached = false;  ///< something answered HTTPS with our certificate
  bool is_other = false;    ///< something answered with another one
  bool is_ready = false;    ///< /readyz
  std::string missing;      ///< what /readyz said otherwise
  std::string alarms;       ///< what /healthz says beside that it lives
  std::string address;      ///< where it was asked
};
Finding check_serve(const ServeFacts& facts);
/// Only meaningful when serve was reached.
Finding check_alarms(const ServeFacts& facts);

struct MediaFacts {
  std::string socket;
  enum class Answer : uint8_t {
    NoSocket,   ///< nothing at the path
    Forbidden,  ///< this user may not
    Refused,    ///< a socket without a process behind it
    Silent,     ///< connected, but nothing came back
    Stuck,      ///< said hello, but could not show its workers
    Good,
  } answer = Answer::NoSocket;
  std::string build;      ///< of the media process
  std::string own_build;  ///< of this executable
  uint32_t workers = 0;
};
Finding check_media(const MediaFacts& facts);

struct PathFacts {
  bool is_tried = false;
  std::string obstacle;  ///< why the trial could not even begin
  uint32_t bots = 2;
  uint32_t joined = 0;
  uint32_t connected = 0;  ///< have a media connection
  uint32_t seeing = 0;     ///< see the other one's picture
  uint32_t hearing = 0;    ///< hear the other one's tone
};
Finding check_path(const PathFacts& facts);

}  // namespace huitang::doctor
