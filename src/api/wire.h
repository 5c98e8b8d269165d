// The conference's values as messages of the signaling schema, and back: the one border between the two.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/media_plan.h"
#include "conference/command.h"
#include "conference/effects.h"
#include "huitang/v1/signaling.pb.h"

namespace huitang::api {

v1::Conference to_wire(const conference::Info& info, std::string_view link);
v1::Participant to_wire(const conference::Info& info, const conference::Participant& participant);
v1::ChatMessage to_wire(const conference::ChatMessage& message);
/// `info` as it is after the change.
v1::Change to_wire(const conference::Change& change, const conference::Info& info, std::string_view link);
/// The whole state as one participant may see it.
v1::State to_wire(const conference::Conference& conference, conference::ParticipantId viewer,
                  core::WallTime now, std::string_view link);
v1::Refused to_wire(const conference::Refusal& refusal);

/// Absent when the message holds no operation.
std::optional<conference::Operation> from_wire(const v1::Command& command);
View from_wire(const v1::SetView& view);

/// Limits before parsing: bytes and depth; a text that is not proto3 JSON of this message gives false.
bool parse_client_message(std::string_view text, v1::ClientMessage& message);
std::string write_server_message(const v1::ServerMessage& message);

/// Whether brackets nest no deeper than `most`, without parsing further.
bool is_shallow(std::string_view json, size_t most);

}  // namespace huitang::api
