#include "api/debug_desk.h"

#include "api/conference_host.h"
#include "huitang/v1/debug.pb.h"
#include "store/store.h"

namespace huitang::api {

void DebugDesk::take(core::WallTime now, const Veil& veil, std::function<void(std::string json)> done) {
  const auto draft = std::make_shared<v1::DebugSnapshot>();
  draft->set_taken_unix_ms(now.to_unix_millis());
  draft->set_version(sources_.version);
  draft->set_revealed(veil.is_revealed());
  draft->set_missing(sources_.missing());
  fill_process(*draft->mutable_process());
  for (const auto& [name, value] : sources_.metrics.figures()) (*draft->mutable_figures())[name] = value;
  const store::Counters counters = sources_.store.counters();
  v1::DebugStore& store = *draft->mutable_store();
  store.set_writes(counters.writes);
  store.set_transactions(counters.transactions);
  store.set_failures(counters.failures);
  store.set_rejected(counters.rejected);
  store.set_waiting(counters.waiting);
  sources_.host.fill_snapshot(*draft, veil);
  draft->mutable_media()->set_connected(sources_.media.is_ready());
  if (!sources_.media.is_ready()) return done(to_json(*draft));
  draft->mutable_media()->set_node_id(sources_.media.node_id());
  ask_node(draft, veil, std::move(done));
}

void DebugDesk::ask_node(const Draft& draft, const Veil& veil, std::function<void(std::string)> done) {
  v1::MediaMessage snapshot;
  snapshot.mutable_get_snapshot()->set_detailed(true);
  sources_.media.request(std::move(snapshot), [draft, veil](const v1::MediaMessage* reply) {
    if (reply == nullptr || !reply->has_snapshot()) return;
    *draft->mutable_media()->mutable_snapshot() = reply->snapshot();
    veil_node(*draft->mutable_media()->mutable_snapshot(), veil);
  });
  v1::MediaMessage log;
  log.mutable_get_peer_log();
  sources_.media.request(std::move(log),
                         [draft, veil, done = std::move(done)](const v1::MediaMessage* reply) {
                           if (reply != nullptr && reply->has_peer_log()) {
                             *draft->mutable_media()->mutable_log() = reply->peer_log();
                             veil_log(*draft->mutable_media()->mutable_log(), veil);
                           }
                           done(to_json(*draft));
                         });
}

}  // namespace huitang::api
