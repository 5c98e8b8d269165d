// What a node holds, as one message (GetSnapshot): each worker gives its part on its own thread.
#pragma once

#include <optional>
#include <vector>

#include "huitang/v1/media.pb.h"
#include "worker/worker_thread.h"

namespace huitang::worker {

struct WorkerSnapshot {
  struct Detail {
    std::vector<PeerSlots> slots;
    std::vector<sfu::SourceSnapshot> sources;
    WorkerFigures figures;
  };
  std::vector<peer::Peer::Snapshot> peers;
  std::optional<Detail> detail;
};

/// On the worker's thread.
WorkerSnapshot take_snapshot(const WorkerThread& thread, const Worker& worker, bool detailed);
/// Appends one worker's part; a detailed one wants a place in `health.loads` for each worker.
void add_snapshot(v1::Snapshot& out, uint32_t worker, const WorkerSnapshot& part);

}  // namespace huitang::worker
