// People come and go every second while all that counts wraps: what stays sees one unbroken stream, and what
// went leaves nothing behind. In virtual time, with real clients on real keys. HUITANG_DEEP=1: ten minutes each.
#include <cstdlib>

#include "worker/test_world.h"

namespace huitang::worker {
namespace {

/// A moment twenty seconds after which something wraps.
struct Era {
  const char* what;
  int64_t wraps_at_ms;  ///< of the monotonic clock
  int64_t wall_ms;      ///< Unix time then
};
constexpr int64_t kEndOfNtpEra = ((int64_t{1} << 32) - 2'208'988'800) * 1000;  // 2036-02-07T06:28:16Z
constexpr int64_t kSomeDay = 1'700'000'000'000;
constexpr Era kEras[] = {
    {"int32_ms_24_8_days_and_ntp_era", int64_t{1} << 31, kEndOfNtpEra},
    {"uint32_ms_49_7_days", int64_t{1} << 32, kSomeDay},
    {"transport_feedback_12_4_days", (int64_t{1} << 24) * 64, kSomeDay},
    {"transport_feedback_6_2_days", (int64_t{1} << 23) * 64, kSomeDay},
};
constexpr Duration kBefore = Duration::seconds(20);
constexpr Duration kTurn = Duration::millis(20);

/// A participant with a microphone, and for those who stay a camera; all numbers a little before their wrap.
struct Member {
  Member(Instant now, uint32_t id, const bot::ClientTransport::Services& services, size_t frame_bytes)
      : client(
            now, id,
            {core::IpAddress::v4(198, 51, static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id)), 40'000},
            services),
        audio({.ssrc = 10'000 + id,
               .payload_type = sdp::kOfferOpus,
               .payload_bytes = 20,
               .first_index = 65'000,
               .first_timestamp = 0u - 20 * 48'000}),
        video({.ssrc = 20'000 + id,
               .payload_type = sdp::kOfferVp8,
               .frame_bytes = frame_bytes,
               .max_payload = 100,
               .first_index = 60'000,
               .first_timestamp = 0u - 20 * 90'000,
               .first_picture = 0x7fff - 450}) {}
  uint32_t id() const { return static_cast<uint32_t>(client.id().value()); }
  uint32_t microphone() const { return 1000 + id(); }
  uint32_t camera() const { return 2000 + id(); }

  TestClient client;
  bot::SyntheticAudio audio;
  bot::SyntheticVideo video;
  size_t answered_plis = 0;
  // What came so far, by ssrc.
  std::map<uint32_t, uint16_t> newest;
  std::map<uint32_t, rtp::SenderInfo> last_report;
  std::map<uint32_t, uint32_t> wraps;  ///< of sequence numbers
  std::optional<int32_t> feedback_time;
  size_t packets = 0, reports = 0;
};

class SoakTest : public ::testing::TestWithParam<Era> {
 protected:
  SoakTest() {
    WorkerConfig c;
    c.addresses = {kNode};
    c.clock = rtp::NtpClock(now_, core::WallTime::from_unix_millis(GetParam().wall_ms - kBefore.to_millis()));
    c.slab.buffers = 4096;
    c.forwarder.history_packets = 1024;
    clock_ = c.clock;
    worker_ = std::make_unique<Worker>(now_, c, identity_, *backend_, random_, out_);
  }

  Member& join(size_t frame_bytes = 0) {
    members_.push_back(std::make_unique<Member>(now_, ++last_id_, services_, frame_bytes));
    Member& m = *members_.back();
    const auto answer =
        worker_->open_peer(now_, m.client.id(), m.client.transport().offer_text(), m.client.lines());
    EXPECT_TRUE(answer) << answer.error().detail;
    EXPECT_TRUE(m.client.transport().handle_answer(now_, *answer));
    bind(m, peer::LineUse::Microphone, m.microphone());
    if (frame_bytes != 0) bind(m, peer::LineUse::Camera, m.camera());
    const sfu::SlotView view{.show = sfu::SourceNumber(members_[0]->camera()), .width = 1280, .height = 720};
    EXPECT_TRUE(worker_->set_view(now_, m.client.id(), {&view, 1}));
    set_group();
    return m;
  }
  /// By closing first, or without a word.
  void leave(size_t position, bool says_so) {
    Member& m = *members_[position];
    if (says_so) m.client.transport().close(now_);
    if (says_so) carry();
    worker_->close_peer(now_, m.client.id());
    members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(position));
    set_group();
  }
  void bind(Member& m, peer::LineUse use, uint32_t number) {
    ASSERT_TRUE(
        worker_->bind_source(now_, m.client.id(), use, sfu::SourceNumber(number), sfu::GroupId(1), true));
  }
  void set_group() {
    sfu::GroupConfig group{.group = sfu::GroupId(1)};
    for (const auto& m : members_) group.listeners.emplace_back(m->id());
    worker_->set_group(now_, group);
  }

  /// 20 ms of everybody's media, every second frame a picture.
  void turn() {
    const bool is_second = turns_ % 50 == 0;
    for (const auto& m : members_) {
      if (!m->client.transport().can_send()) continue;
      const bot::SyntheticPacket sound = m->audio.next(now_);
      send(*m, m->client.seal(sound, "0", {}));
      if (is_second) report(*m, sound.header);
      if (turns_ % 2 == 0 && m->id() <= 2) send_picture(*m, is_second);
    }
    ++turns_;
    for (const Instant until = now_ + kTurn; now_ < until; now_ += Duration::millis(2)) carry();
    for (const auto& m : members_) look(*m);
    while (worker_->poll_event()) {
    }
  }
  void send_picture(Member& m, bool with_report) {
    if (m.client.plis() != m.answered_plis) m.video.request_key_frame();
    m.answered_plis = m.client.plis();
    const auto frame = m.video.next_frame(now_, 3600);
    for (const auto& packet : frame) send(m, m.client.seal(packet, "1", "f"));
    if (with_report) report(m, frame[0].header);
  }
  void report(Member& m, const rtp::PacketHeader& newest) {
    std::array<uint8_t, 200> room;
    rtp::CompoundWriter writer(room);
    // Its clock is not ours.
    const rtp::NtpTime ntp = clock_.at(now_) + Duration::seconds(-300 * static_cast<int64_t>(m.id()));
    writer.add_sender_report({.ssrc = newest.ssrc, .ntp = ntp, .rtp_timestamp = newest.timestamp});
    send(m, m.client.seal_rtcp(writer.written()));
  }
  void send(Member& m, core::Buffer bytes) {
    const Datagram datagram{m.client.address(), {}, bytes};
    worker_->handle_datagrams(now_, {&datagram, 1});
  }
  void carry() {
    worker_->handle_turn(now_);
    for (const auto& m : members_) {
      if (const auto due = m->client.transport().deadline(); due && *due <= now_)
        m->client.transport().handle_deadline(now_);
      while (auto transmit = m->client.transport().poll_transmit()) send(*m, std::move(transmit->bytes));
    }
    while (!out_.queue.empty()) {
      core::Transmit t = std::move(out_.queue.front());
      out_.queue.pop_front();
      for (const auto& m : members_)
        if (m->client.address() == t.to) m->client.handle_datagram(now_, kNode, t.bytes);
    }
  }

  // ---- what each of them sees
  void look(Member& m) {
    for (const SeenPacket& p : m.client.seen()) {
      EXPECT_TRUE(p.intact);
      const auto [it, is_first] = m.newest.try_emplace(p.ssrc, p.sequence_number);
      if (!is_first) {
        EXPECT_EQ(p.sequence_number, static_cast<uint16_t>(it->second + 1)) << "a gap or a repetition";
        m.wraps[p.ssrc] += p.sequence_number < it->second;
        it->second = p.sequence_number;
      }
      if (p.csrc == members_[0]->camera()) picture_ssrcs_.insert(p.ssrc);
    }
    m.packets += m.client.seen().size();
    m.client.seen().clear();
    for (const rtp::SenderInfo& r : m.client.sender_infos()) look(m, r);
    m.client.sender_infos().clear();
    for (const int32_t t : m.client.feedback_times()) {
      const uint32_t steps = static_cast<uint32_t>(t - m.feedback_time.value_or(t)) & 0xffffff;
      EXPECT_LE(steps, 2000u / 64) << "the clock of the feedback leaps";
      m.feedback_time = t;
    }
    m.client.feedback_times().clear();
  }
  void look(Member& m, const rtp::SenderInfo& r) {
    EXPECT_LE(std::abs((r.ntp - clock_.at(now_)).to_millis()), 100);
    const auto [it, is_first] = m.last_report.try_emplace(r.ssrc, r);
    // On the others, voices take turns, each with a timeline of its own.
    if (!is_first && picture_ssrcs_.contains(r.ssrc)) {
      const int64_t by_clock = (r.ntp - it->second.ntp).to_millis();
      const int64_t by_media = static_cast<int32_t>(r.rtp_timestamp - it->second.rtp_timestamp) / 90;
      EXPECT_LE(std::abs(by_clock - by_media), 40) << "the timeline leaps";
      EXPECT_GT(r.packet_count, it->second.packet_count);
      ++m.reports;
    }
    it->second = r;
  }

  void meet_for(int seconds) {
    for (int s = 0; s < seconds && !HasFailure(); ++s) {
      join();
      if (members_.size() > 6) leave(3, s % 2 == 0);
      for (int i = 0; i < 50; ++i) turn();
      if (s == 10) tables_ = worker_->live().media.tables;
    }
  }
  void drain() {
    while (!members_.empty()) leave(0, members_.size() % 2 == 0);
    worker_->close_group(now_, sfu::GroupId(1));
    for (int i = 0; i < 100; ++i) turn();
  }

  Instant now_ = Instant::from_nanos(GetParam().wraps_at_ms * 1'000'000) - kBefore;
  core::SeededRandom random_{7};
  dtls::Identity identity_ = dtls::Identity::generate(core::WallTime::from_unix_millis(kSomeDay));
  dtls::Identity client_identity_ = dtls::Identity::generate(core::WallTime::from_unix_millis(kSomeDay));
  std::unique_ptr<srtp::Backend> backend_ = srtp::make_best_backend();
  bot::ClientTransport::Services services_{client_identity_, *backend_, random_};
  QueueOut out_;
  rtp::NtpClock clock_;
  std::unique_ptr<Worker> worker_;
  std::vector<std::unique_ptr<Member>> members_;
  std::set<uint32_t> picture_ssrcs_;
  uint32_t last_id_ = 0;
  uint32_t turns_ = 0;
  size_t tables_ = 0;
};

TEST_P(SoakTest, with_a_join_and_a_leave_a_second_nothing_breaks_and_nothing_stays) {
  const bool is_deep = std::getenv("HUITANG_DEEP") != nullptr;
  // Of the first era the packets are so many that the numbers of what leaves wrap, too.
  const bool is_first = GetParam().wraps_at_ms == kEras[0].wraps_at_ms;
  join(is_first ? 5000 : 500);
  join(500);
  Member& watcher = join();
  meet_for(is_deep ? 600 : is_first ? 64 : 40);
  ASSERT_FALSE(HasFailure());

  EXPECT_GT(watcher.packets, 5000u);
  EXPECT_GT(watcher.reports, 8u);
  EXPECT_TRUE(members_[0]->feedback_time.has_value());
  EXPECT_TRUE(watcher.client.transport().can_send());
  if (is_first) {
    uint32_t wraps = 0;
    for (const auto& [ssrc, n] : watcher.wraps) wraps += n;
    EXPECT_GT(wraps, 0u);
  }
  const LiveObjects live = worker_->live();
  EXPECT_EQ(live.peers, members_.size());
  EXPECT_EQ(live.media.tables, tables_) << "tables grow with those who went";

  drain();
  EXPECT_TRUE(worker_->live().is_empty());
  EXPECT_FALSE(worker_->forwarder().deadline().has_value());
  EXPECT_EQ(worker_->counters().slab_exhausted + worker_->counters().dropped_events, 0u);
  EXPECT_TRUE(worker_->is_consistent());
}

// The planted fault: the check above can fail.
TEST_P(SoakTest, one_who_is_kept_shows) {
  join();
  join();
  for (int i = 0; i < 50; ++i) turn();
  leave(0, true);
  worker_->close_group(now_, sfu::GroupId(1));
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_FALSE(worker_->live().is_empty());
  EXPECT_EQ(worker_->live().peers, 1u);
  EXPECT_EQ(worker_->live().addresses, 1u);
}

INSTANTIATE_TEST_SUITE_P(Eras, SoakTest, ::testing::ValuesIn(kEras),
                         [](const auto& era) { return era.param.what; });

}  // namespace
}  // namespace huitang::worker
