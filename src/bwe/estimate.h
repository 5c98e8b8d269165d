// What the send-side estimator is told and what it says, as plain values.
#pragma once

#include <cstdint>

#include "core/time.h"
#include "core/units.h"

namespace huitang::bwe {

enum class PacketKind : uint8_t { Audio, Media, Repair, Padding };

/// One datagram that left with a transport-wide number.
struct SentPacket {
  uint16_t number = 0;         ///< as in the header extension
  uint16_t bytes = 0;          ///< on the wire, with IP and UDP headers
  uint16_t probe_cluster = 0;  ///< of the ProbePlan it belongs to; 0 = none
  PacketKind kind = PacketKind::Media;
};

/// What could be made of a downlink. Totals over all its streams, repair and headers included. Nothing is
/// probed for that nobody could use.
struct Demand {
  core::Bitrate current;      ///< what the chosen layers send now
  core::Bitrate next_useful;  ///< total with the next layer up; at most `current` = nothing more is wanted
  core::Bitrate max_useful;   ///< total with everything that is wanted
};

/// What holds the target where it is.
enum class LimitedBy : uint8_t {
  Start,    ///< nothing has been learnt yet
  Delay,    ///< a queue grew at more than this
  Loss,     ///< loss grows with the rate above this
  Silence,  ///< feedback stays away although packets are sent
  Maximum,  ///< Config::max
  Nothing,  ///< growing, or as far as the application's own rate lets it grow
};

struct Estimate {
  core::Bitrate target;       ///< may be sent, everything included
  double loss = 0;            ///< share of packets of the last observations, 0 .. 1
  core::Duration round_trip;  ///< zero while unknown
  LimitedBy limited_by = LimitedBy::Start;
  bool is_application_limited =
      false;  ///< much less is sent than might be: the target says little about the path
};

/// A wish for a train of packets at `rate`: media that waits, then RTX, then padding. All of them carry
/// `cluster` in SentPacket. The train ends when both minima are reached (about `duration` at `rate`); one that
/// cannot be filled may be given up, it is then forgotten.
struct ProbePlan {
  uint16_t cluster = 0;  ///< never 0
  core::Bitrate rate;
  uint16_t min_packets = 0;
  core::ByteCount min_bytes;
  core::Duration duration;
};

}  // namespace huitang::bwe
