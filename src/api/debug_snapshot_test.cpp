#include "api/debug_snapshot.h"

#include <gtest/gtest.h>

#include "huitang/v1/debug.pb.h"

namespace huitang::api {
namespace {

v1::Snapshot node() {
  v1::Snapshot snapshot;
  v1::SnapshotPeer& peer = *snapshot.add_peers();
  peer.set_peer(7);
  peer.set_remote_address("192.0.2.44:5555");
  peer.mutable_view()->add_slots()->set_speaker_of_group(123456789);
  peer.mutable_view()->add_slots()->set_source(18);
  snapshot.add_sources()->set_group(123456789);
  snapshot.add_groups()->set_group(123456789);
  return snapshot;
}

std::string json_of(const v1::Snapshot& snapshot) {
  v1::DebugSnapshot whole;
  *whole.mutable_media()->mutable_snapshot() = snapshot;
  return to_json(whole);
}

TEST(Veil, hides_what_belongs_to_people_and_shows_the_same_thing_the_same_way) {
  const Veil veil(false);
  const std::string shown = veil.shown("张三");
  EXPECT_EQ(shown.find("张三"), std::string::npos);
  EXPECT_EQ(shown, veil.shown("张三"));
  EXPECT_NE(shown, veil.shown("李四"));
  EXPECT_EQ(veil.shown(""), "") << "nothing stays nothing";
}

TEST(Veil, reveals_names_to_who_asks_for_them_but_never_what_lets_somebody_in) {
  EXPECT_EQ(Veil(true).shown("张三"), "张三");
  EXPECT_EQ(Veil::hidden("session").find("session"), std::string::npos);
}

TEST(Veil, a_node_s_snapshot_has_no_address_and_no_conference_number_left) {
  v1::Snapshot snapshot = node();
  veil_node(snapshot, Veil(false));
  const std::string json = json_of(snapshot);
  EXPECT_EQ(json.find("192.0.2.44"), std::string::npos) << json;
  EXPECT_EQ(json.find("123456789"), std::string::npos) << json;
  EXPECT_EQ(snapshot.sources(0).group(), snapshot.groups(0).group()) << "which belongs to which is lost";
  EXPECT_EQ(snapshot.peers(0).view().slots(0).speaker_of_group(), snapshot.groups(0).group());
  EXPECT_EQ(snapshot.peers(0).view().slots(1).source(), 18u);
}

TEST(Veil, addresses_in_the_log_of_a_peer_are_hidden_and_the_rest_is_not) {
  v1::PeerLog log;
  v1::PeerLogRow& row = *log.add_peers();
  for (const auto& [what, detail] : {std::pair("address_added", "192.0.2.44:5555"),
                                     std::pair("destination", "192.0.2.44:5555"), std::pair("layer", "2")}) {
    v1::PeerLogEntry& entry = *row.add_entries();
    entry.set_what(what);
    entry.set_detail(detail);
  }
  veil_log(log, Veil(false));
  EXPECT_EQ(row.entries(0).detail(), row.entries(1).detail());
  EXPECT_EQ(row.entries(0).detail().find("192.0.2.44"), std::string::npos);
  EXPECT_EQ(row.entries(2).detail(), "2");
}

TEST(Veil, a_revealed_one_is_left_as_it_is) {
  v1::Snapshot snapshot = node();
  veil_node(snapshot, Veil(true));
  EXPECT_EQ(json_of(snapshot), json_of(node()));
}

TEST(DebugSnapshot, knows_the_process_it_is_in) {
  v1::DebugProcess process;
  fill_process(process);
  EXPECT_GT(process.resident_bytes(), 0u);
  EXPECT_GE(process.open_files(), 3u);
}

}  // namespace
}  // namespace huitang::api
