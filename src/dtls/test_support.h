// A pair of endpoints over a network in virtual time.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "core/random.h"
#include "dtls/endpoint.h"

namespace huitang::dtls::test {

inline const Identity& identity(int which) {
  static const Identity identities[] = {
      Identity::generate(core::WallTime::from_unix_millis(1'700'000'000'000)),
      Identity::generate(core::WallTime::from_unix_millis(1'700'000'000'001))};
  return identities[which];
}

struct Weather {
  uint32_t loss_percent = 0;
  uint32_t duplicate_percent = 0;
  core::Duration delay = core::Duration::millis(10);
  core::Duration jitter;  ///< more than zero reorders
};

class Pair {
 public:
  static Config server_config() { return {Role::Server, {identity(1).fingerprint()}}; }
  static Config client_config() { return {Role::Client, {identity(0).fingerprint()}}; }

  explicit Pair(Config server = server_config(), Config client = client_config(), Weather weather = {},
                uint64_t seed = 1)
      : random_(seed), weather_(weather) {
    endpoints_[0] = std::make_unique<Endpoint>(now_, identity(0), std::move(server));
    endpoints_[1] = std::make_unique<Endpoint>(now_, identity(1), std::move(client));
  }

  Endpoint& server() { return *endpoints_[0]; }
  Endpoint& client() { return *endpoints_[1]; }
  std::vector<Event>& server_events() { return events_[0]; }
  std::vector<Event>& client_events() { return events_[1]; }
  core::Instant now() const { return now_; }

  /// Turns one datagram of the client into several, or none.
  std::function<std::vector<core::Buffer>(core::Buffer)> from_client;

  void start() {
    client().start(now_);
    drain();
  }
  /// Runs until nothing happens any more or `limit` of virtual time is over.
  void run(core::Duration limit = core::Duration::seconds(60)) {
    const core::Instant end = now_ + limit;
    drain();
    while (step(end)) drain();
  }

 private:
  struct InFlight {
    core::Instant at;
    uint64_t order;
    int to;
    core::Buffer bytes;
  };

  bool step(core::Instant end) {
    core::Instant next = core::Instant::far_future();
    const auto earliest = std::ranges::min_element(flying_, [](const auto& a, const auto& b) {
      return std::tie(a.at, a.order) < std::tie(b.at, b.order);
    });
    if (earliest != flying_.end()) next = earliest->at;
    for (const auto& e : endpoints_)
      next = std::min(next, e->deadline().value_or(core::Instant::far_future()));
    if (next > end) return false;
    now_ = std::max(now_, next);
    if (earliest != flying_.end() && earliest->at <= now_) {
      const InFlight datagram = std::move(*earliest);
      flying_.erase(earliest);
      endpoints_[datagram.to]->handle_datagram(now_, datagram.bytes);
    }
    for (const auto& e : endpoints_) {
      if (e->deadline() && *e->deadline() <= now_) e->handle_deadline(now_);
    }
    return true;
  }

  void drain() {
    for (int i = 0; i < 2; ++i) {
      while (auto datagram = endpoints_[i]->poll_transmit()) {
        if (i == 1 && from_client) {
          for (core::Buffer& piece : from_client(std::move(*datagram))) send(0, std::move(piece));
        } else {
          send(1 - i, std::move(*datagram));
        }
      }
      while (auto event = endpoints_[i]->poll_event()) events_[i].push_back(std::move(*event));
    }
  }

  void send(int to, core::Buffer bytes) {
    largest_datagram = std::max(largest_datagram, bytes.size());
    const int copies = random_.below(100) < weather_.duplicate_percent ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      if (random_.below(100) < weather_.loss_percent) continue;
      const auto jitter = static_cast<uint32_t>(weather_.jitter.to_micros());
      const core::Duration late = core::Duration::micros(jitter == 0 ? 0 : random_.below(jitter));
      flying_.push_back({now_ + weather_.delay + late, order_++, to, bytes});
    }
  }

 public:
  size_t largest_datagram = 0;

 private:
  core::SeededRandom random_;
  Weather weather_;
  core::Instant now_ = core::Instant::from_nanos(1'000'000'000);
  std::unique_ptr<Endpoint> endpoints_[2];
  std::vector<Event> events_[2];
  std::vector<InFlight> flying_;
  uint64_t order_ = 0;
};

/// Cuts a datagram with one unfragmented handshake record (a ClientHello) into `pieces` datagrams with one
/// fragment each.
inline std::vector<core::Buffer> cut_client_hello(const core::Buffer& datagram, size_t pieces) {
  constexpr size_t kHeaders = 25;
  const core::Bytes whole(datagram);
  const size_t size = core::load_u24(datagram.data() + 14);
  std::vector<core::Buffer> out;
  for (size_t i = 0; i < pieces; ++i) {
    const size_t from = size * i / pieces, to = size * (i + 1) / pieces;
    core::Buffer piece(datagram.begin(), datagram.begin() + kHeaders);
    core::store_u16(piece.data() + 11, static_cast<uint16_t>(12 + to - from));
    core::store_u24(piece.data() + 19, static_cast<uint32_t>(from));
    core::store_u24(piece.data() + 22, static_cast<uint32_t>(to - from));
    const core::Bytes body = whole.subspan(kHeaders + from, to - from);
    piece.insert(piece.end(), body.begin(), body.end());
    out.push_back(std::move(piece));
  }
  return out;
}

inline bool is_client_hello(core::Bytes datagram) {
  return datagram.size() > 25 && datagram[0] == 22 && datagram[13] == 1 &&
         core::load_u16(datagram.data() + 3) == 0;
}

}  // namespace huitang::dtls::test
