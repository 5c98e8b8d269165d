// Which packets of a stream a receiver should ask for again (RFC 4585 section 6.2.1), and when to ask once
// more.
//
// Feeds: every packet of the stream, recovered ones too. The owner polls at deadline() and sends what it gets
// as one NACK. When a gap is too wide or too old to be repaired, the tracker says so once: video then needs a
// key frame.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/time.h"
#include "core/unwrap.h"

namespace huitang::rtp {

class NackTracker {
 public:
  struct Config {
    core::Duration reordering = core::Duration::millis(5);  ///< wait so long before the first request
    uint8_t reordering_packets = 0;  ///< and until so many newer packets have come (0: time alone decides)
    core::Duration min_retry = core::Duration::millis(10);  ///< interval is 1.25 rtt, but never less
    core::Duration max_age = core::Duration::millis(1000);  ///< then it is of no use any more
    uint8_t max_retries = 10;
    uint16_t max_gap = 400;  ///< a longer jump is given up at once
  };
  static constexpr size_t kMaxMissing = 512;

  explicit NackTracker(Config config) : config_(config) {}
  NackTracker() : NackTracker(Config{}) {}

  void handle_packet(core::Instant now, uint16_t sequence_number);
  /// A picture can start afresh at this number: what is missing before it is no longer wanted.
  void handle_key_frame(uint16_t sequence_number);
  void set_round_trip_time(core::Duration rtt) { rtt_ = rtt; }

  /// Numbers to ask for now, ascending; at most out.size(), the rest stays due.
  size_t poll_nack(core::Instant now, std::span<uint16_t> out);
  std::optional<core::Instant> deadline() const;
  /// True once after packets were given up.
  bool take_given_up();

  struct Snapshot {
    size_t missing = 0;
    uint64_t requested = 0;
    uint64_t recovered = 0;
    uint64_t given_up = 0;
    uint64_t resets = 0;
  };
  Snapshot snapshot() const;
  bool is_consistent() const;

  struct Missing {
    int64_t number = 0;     ///< extended by the tracker
    core::Instant noticed;  ///< as missing
    core::Instant next;     ///< request, not before
    uint8_t tries = 0;      ///< requests so far
    friend bool operator==(const Missing&, const Missing&) = default;
  };
  /// All but the configuration, for a tracker that goes on elsewhere.
  struct State {
    core::Duration round_trip = core::Duration::millis(100);
    bool has_started = false;
    int64_t last = 0;              ///< number of the last packet, extended
    int64_t highest = -1;          ///< likewise; -1: none yet
    std::vector<Missing> missing;  ///< ascending by number, all below the highest
    bool has_given_up = false;     ///< and nobody was told
    uint64_t requested = 0;        ///< numbers, each time they were asked for
    uint64_t recovered = 0;
    uint64_t given_up = 0;
    uint64_t resets = 0;
    friend bool operator==(const State&, const State&) = default;
  };
  State export_state() const;
  /// False, and nothing changes, for what no tracker exports.
  bool restore(const State& state);

 private:
  void add_gap(core::Instant now, int64_t from, int64_t to);
  void drop_oldest(size_t n);
  bool may_ask(const Missing& m) const;
  core::Duration retry_interval() const;

  Config config_;
  core::Duration rtt_ = core::Duration::millis(100);
  core::Unwrapper<uint16_t> unwrapper_;
  int64_t highest_ = -1;
  std::array<Missing, kMaxMissing> missing_{};  ///< ascending by number
  size_t count_ = 0;
  bool given_up_ = false;
  uint64_t requested_ = 0;
  uint64_t recovered_ = 0;
  uint64_t given_up_count_ = 0;
  uint64_t resets_ = 0;
};

}  // namespace huitang::rtp
