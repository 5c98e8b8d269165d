// Gathers the administrator's snapshot: what serve holds at once, then what the node answers.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/debug_snapshot.h"
#include "api/media_client.h"
#include "api/metrics.h"
#include "core/time.h"

namespace huitang::store {
class Store;
}

namespace huitang::api {

class ConferenceHost;

class DebugDesk {
 public:
  struct Sources {
    std::string version;
    const ConferenceHost& host;
    MediaClient& media;
    const store::Store& store;
    const Metrics& metrics;
    std::function<std::string()> missing;  ///< as /readyz says it
  };
  explicit DebugDesk(Sources sources) : sources_(std::move(sources)) {}

  /// JSON of a v1::DebugSnapshot. A node that does not answer leaves its part empty.
  void take(core::WallTime now, const Veil& veil, std::function<void(std::string json)> done);

 private:
  using Draft = std::shared_ptr<v1::DebugSnapshot>;
  void ask_node(const Draft& draft, const Veil& veil, std::function<void(std::string)> done);

  Sources sources_;
};

}  // namespace huitang::api
