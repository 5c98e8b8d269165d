// The table of client messages: one row for each, with what it costs and what it needs.
#pragma once

#include "api/conference_host.h"
#include "huitang/v1/signaling.pb.h"

namespace huitang::api {

struct ConferenceHost::MessageRow {
  v1::ClientMessage::BodyCase body;
  void (ConferenceHost::*handle)(Socket&, const v1::ClientMessage&);
  bool needs_session;
  double permits;
};

}  // namespace huitang::api
