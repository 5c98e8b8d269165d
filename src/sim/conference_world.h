// A conference in a hostile world, from one seed: clients behind a network that delays, reorders, duplicates
// and drops; a server that crashes and comes back from its journal; a disk that is slow and fails; commands
// at random. After every step the invariants are checked; what is broken first is the result.
//
// The server side is the production code (conference::Ledger); `Fault` plants a bug between it and the world,
// to show that the invariants find it.
//
// Invariants:
//   - each decision, its happening, and the state after it are what the transition table says;
//   - a command takes effect at most once, whatever is repeated; what was accepted is in the journal for
//   ever, what was
//     refused never is;
//   - replaying the journal gives the state; the state is consistent; a crash loses nothing that anybody was
//   told;
//   - each client's view is the server's state of the same change number, without private messages of others;
//   - at rest every client's view has converged;
//   - what the media node was told, step by step, is what the state says.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/conference_model.h"

namespace huitang::sim {

enum class Fault {
  None,
  AcksBeforeWritten,  ///< people are told before the journal has it
  LosesRecord,        ///< a write is reported and not made
  ForgetsCommandIds,  ///< repeats are carried out again
  LeaksPrivateChat,
  SkipsAChange,         ///< a client is sent the next change under the number of the one before
  ResyncsWithoutHands,  ///< whole states lack a field
  OpensMicrophoneWhenAsked,
  SharesOverOthers,  ///< the one-presenter rule does not hold for participants
  LockLetsIn,
  RemovedMayReturn,
  ForgetsMediaIntent,  ///< a mute does not reach the node
  KeepsRemovedPeer,    ///< nor does a removal
};
inline constexpr Fault kAllFaults[] = {
    Fault::AcksBeforeWritten,        Fault::LosesRecord,        Fault::ForgetsCommandIds,
    Fault::LeaksPrivateChat,         Fault::SkipsAChange,       Fault::ResyncsWithoutHands,
    Fault::OpensMicrophoneWhenAsked, Fault::SharesOverOthers,   Fault::LockLetsIn,
    Fault::RemovedMayReturn,         Fault::ForgetsMediaIntent, Fault::KeepsRemovedPeer,
};
const char* to_string(Fault);

struct WorldOptions {
  uint64_t seed = 1;
  int steps = 400;
  Fault fault = Fault::None;
};

struct WorldResult {
  std::optional<std::string> broken;  ///< the first invariant that did not hold, with seed and step
  std::vector<size_t> rows_hit;       ///< of the transition table
  uint64_t changes = 0;
  uint64_t crashes = 0;
  uint64_t repeats = 0;
  uint64_t resyncs = 0;
  uint64_t failed_writes = 0;
};

WorldResult run_conference_world(const TransitionTable&, const WorldOptions&);

}  // namespace huitang::sim
