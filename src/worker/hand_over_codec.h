// The state of a worker to and from its message (handover.proto). Reading checks every value whose range
// matters to memory or arithmetic; what contradicts itself is found by the restore() of the engines.
#pragma once

#include "core/result.h"
#include "huitang/v1/handover.pb.h"
#include "worker/hand_over_state.h"

namespace huitang::worker {

void write_worker_state(const WorkerHandOver& state, v1::WorkerState& out);
/// English reason, for the log, when a value is impossible.
core::Result<WorkerHandOver, std::string> read_worker_state(const v1::WorkerState& in);

}  // namespace huitang::worker
