// Generated messages of the control protocol to and from plain values. The only place in this folder that
// knows both.
#pragma once

#include <optional>
#include <vector>

#include "huitang/v1/media.pb.h"
#include "worker/worker_thread.h"

namespace huitang::worker {

/// Absent for an unknown use.
std::optional<peer::LineUse> line_use_from(v1::LineUse use);
std::optional<std::vector<peer::Line>> lines_from(const google::protobuf::RepeatedPtrField<v1::Line>& lines);
sfu::GroupConfig group_from(const v1::SetGroup& group);
/// Absent when a slot is neither for video nor for a share.
std::optional<std::vector<sfu::SlotView>> view_from(const v1::SetPeerView& view);

v1::MediaMessage event_to(const Event& event);
void fill_snapshot(v1::SnapshotPeer& out, const peer::Peer::Snapshot& peer, uint32_t worker);
/// Adds one worker's to the sums; `out` has a place in `loads` for each worker.
void add_figures(v1::NodeHealth& out, uint32_t worker, const WorkerFigures& figures);
/// Rows beyond kMaxLogEntries of one message are left out (and it says so).
inline constexpr int kMaxLogEntries = 30'000;
void fill_log(v1::PeerLog& out, core::Instant now, uint32_t worker, const std::vector<PeerLogCopy>& logs);

}  // namespace huitang::worker
