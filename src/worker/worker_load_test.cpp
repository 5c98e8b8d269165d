// A worker whose core is used up: what it gives up, in which order, and that the sound goes on.
#include "worker/test_world.h"

namespace huitang::worker {
namespace {

class LoadedWorker : public WorkerWithClients {
 protected:
  void SetUp() override {
    speaker_ = &add_client();
    listener_ = &add_client();
    publish(*speaker_);
    show_camera(*listener_);
    send_media(*speaker_, Duration::seconds(1));
  }
  /// Sound and pictures, and the thread's figures: `share` of its core used.
  void work(Duration span, double share) {
    for (const Instant until = now_ + span; now_ < until;) {
      const Instant began = now_;
      send_media(*speaker_, Duration::millis(240));
      totals_.cpu += Duration::seconds_f((now_ - began).to_seconds() * share);
      if (now_ >= worker_.load_deadline()) worker_.handle_load(now_, totals_);
    }
  }
  void work_until(LoadLevel level, double share) {
    for (int i = 0; i < 1000 && worker_.load().level != level; ++i) work(Duration::millis(240), share);
    ASSERT_EQ(worker_.load().level, level);
  }
  core::Result<std::string, CommandError> open_another(Admission admission) {
    const uint64_t id = 100 + ++strangers_;
    TestClient stranger(now_, id, {core::IpAddress::v4(198, 51, 100, 200), 1}, services_);
    return worker_.open_peer(now_, stranger.id(), stranger.transport().offer_text(), stranger.lines(),
                             admission);
  }
  TestClient* speaker_ = nullptr;
  TestClient* listener_ = nullptr;
  LoadTotals totals_;
  uint64_t strangers_ = 0;
};

TEST_F(LoadedWorker, takes_no_strangers_but_members_and_known_peers_and_the_quality_stays) {
  work_until(LoadLevel::NoNewPeers, 0.85);
  const auto refused = open_another(Admission::Stranger);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, CommandErrorCode::Full);
  EXPECT_EQ(worker_.counters().refused_full, 1u);
  EXPECT_TRUE(open_another(Admission::Member));
  EXPECT_TRUE(
      worker_.open_peer(now_, listener_->id(), listener_->transport().offer_text(), listener_->lines()));
  listener_->seen().clear();
  work(Duration::seconds(1), 0.75);
  EXPECT_GT(listener_->count_of(kCamera), 80u);
}

TEST_F(LoadedWorker, pauses_pictures_last_and_the_sound_has_no_gap) {
  listener_->seen().clear();
  work_until(LoadLevel::SoundOnly, 1.0);
  work(Duration::seconds(1), 1.0);
  size_t pictures = listener_->count_of(kCamera);
  work(Duration::seconds(1), 1.0);
  EXPECT_EQ(listener_->count_of(kCamera), pictures);
  work_until(LoadLevel::Normal, 0.1);
  work(Duration::seconds(1), 0.1);
  EXPECT_GT(listener_->count_of(kCamera), pictures) << "and they come back";
  std::vector<SeenPacket> sound;
  std::ranges::copy_if(listener_->seen(), std::back_inserter(sound),
                       [](const SeenPacket& p) { return p.csrc == kMicrophone; });
  ASSERT_GT(sound.size(), 100u);
  for (size_t i = 1; i < sound.size(); ++i) {
    EXPECT_EQ(sound[i].ssrc, sound[0].ssrc);
    EXPECT_EQ(sound[i].sequence_number, static_cast<uint16_t>(sound[i - 1].sequence_number + 1));
  }
}

TEST_F(LoadedWorker, tells_each_change_and_keeps_it_in_its_log) {
  while (worker_.poll_event()) {
  }
  work_until(LoadLevel::LowLayers, 1.0);
  std::vector<LoadLevel> told;
  while (const auto event = worker_.poll_event())
    if (const auto* load = std::get_if<LoadChanged>(&*event)) told.push_back(load->level);
  EXPECT_EQ(told, (std::vector{LoadLevel::NoNewPeers, LoadLevel::LowLayers}));
  const auto logs = worker_.copy_logs({});
  ASSERT_EQ(logs.size(), 3u);
  EXPECT_EQ(logs[0].peer, 0u);
  ASSERT_EQ(logs[0].entries.size(), 2u);
  EXPECT_EQ(describe(logs[0].entries[1]).substr(0, 15), "low layers only");
}

TEST_F(LoadedWorker, that_catches_up_leaves_pictures_unopened_and_serves_everything_else) {
  const auto opened = [&] {
    return worker_.snapshot_peers()[0].counters.rtp_in + worker_.snapshot_peers()[1].counters.rtp_in;
  };
  const uint64_t before = opened();
  core::Buffer sound = speaker_->seal(audio_.next(now_), "0", {});
  core::Buffer picture = speaker_->seal(video_.next_frame(now_).front(), "1", "f");
  const std::array<Datagram, 2> backlog{Datagram{speaker_->address(), {}, picture},
                                        Datagram{speaker_->address(), {}, sound}};
  worker_.handle_datagrams(now_, backlog, Ingress::Urgent);
  EXPECT_EQ(opened(), before + 1);
  EXPECT_EQ(worker_.counters().shed_pictures, 1u);
  worker_.handle_turn(now_);
}

TEST(IngressGuard, leaves_pictures_aside_only_while_the_socket_was_never_empty_for_long) {
  IngressGuard guard;
  Instant now = Instant::from_nanos(1'000'000'000);
  const auto read_for = [&](Duration span, bool emptied) {
    for (const Instant until = now + span; now < until; now += Duration::millis(5))
      guard.handle_read(now, emptied);
  };
  EXPECT_EQ(guard.mode(now), Ingress::Full);
  read_for(IngressGuard::kPatience, false);
  EXPECT_EQ(guard.mode(now), Ingress::Urgent);
  guard.handle_read(now, true);
  EXPECT_EQ(guard.mode(now), Ingress::Full);
  read_for(IngressGuard::kPatience - Duration::millis(10), false);
  guard.handle_read(now, true);
  read_for(IngressGuard::kPatience - Duration::millis(10), false);
  EXPECT_EQ(guard.mode(now), Ingress::Full) << "bursts are no backlog";
}

// ---- the log of a peer

TEST_F(LoadedWorker, a_peers_log_tells_what_happened_to_it_in_order) {
  const auto logs = worker_.copy_logs(listener_->id());
  ASSERT_EQ(logs.size(), 1u);
  std::vector<std::string> told;
  for (const LogEntry& entry : logs[0].entries) told.push_back(name_of(entry.kind));
  const auto at = [&](const char* what) { return std::ranges::find(told, what) - told.begin(); };
  const auto end = static_cast<std::ptrdiff_t>(told.size());
  EXPECT_EQ(at("offer"), 0);
  EXPECT_LT(at("address_added"), end);
  EXPECT_LT(at("destination"), end);
  EXPECT_LT(at("state"), at("slot_shows"));
  EXPECT_LT(at("slot_shows"), end);
  const std::vector<LogEntry> speakers = worker_.copy_logs(speaker_->id())[0].entries;
  EXPECT_TRUE(std::ranges::any_of(speakers, [](auto& e) { return e.kind == LogKind::KeyFrameRequest; }));
  EXPECT_TRUE(
      std::ranges::any_of(speakers, [](auto& e) { return describe(e) == "source 12 on line use 2"; }));
  for (const LogEntry& entry : speakers) EXPECT_FALSE(describe(entry).empty());
}

TEST(PeerLog, keeps_the_newest_counts_repeats_and_says_how_many_it_lost) {
  PeerLog log;
  const Instant now = Instant::from_nanos(1);
  for (uint32_t i = 0; i < 100; ++i)
    log.add(now + Duration::seconds(i), {.number = i / 2, .kind = LogKind::KeyFrameAsk});
  EXPECT_EQ(log.size(), PeerLog::kMaxEntries);
  EXPECT_EQ(log.dropped(), 50 - PeerLog::kMaxEntries);
  EXPECT_EQ(log[0].number, log.dropped());
  EXPECT_EQ(log[log.size() - 1].number, 49u);
  EXPECT_EQ(log[log.size() - 1].count, 2u);
  EXPECT_EQ(log[log.size() - 1].at, now + Duration::seconds(99));
}

TEST(PeerLog, notes_losses_above_a_threshold_and_not_too_often) {
  PeerLog log;
  Instant now = Instant::from_nanos(5'000'000'000);
  log.add_loss(now, LogKind::LossIn, PeerLog::kNotedLoss - 1);
  EXPECT_EQ(log.size(), 0u);
  log.add_loss(now, LogKind::LossIn, 26);
  log.add_loss(now, LogKind::LossIn, 200);
  log.add_loss(now, LogKind::LossOut, 128);
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(describe(log[0]), "10 %");
  now += PeerLog::kLossInterval;
  log.add_loss(now, LogKind::LossIn, 200);
  EXPECT_EQ(log.size(), 3u);
}

}  // namespace
}  // namespace huitang::worker
