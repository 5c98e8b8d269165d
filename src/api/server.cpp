#include "api/server.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "api/admin_gate.h"
#include "api/certificate.h"
#include "api/conference_host.h"
#include "api/connect_api.h"
#include "api/debug_desk.h"
#include "api/file_util.h"
#include "api/https_server.h"
#include "api/local_access.h"
#include "api/log.h"
#include "api/media_client.h"
#include "api/redirect_server.h"
#include "api/site.h"
#include "api/store_journal.h"
#include "core/address.h"
#include "crypto/system_random.h"
#include "net/clock.h"
#include "net/failure.h"
#include "store/store.h"

namespace huitang::api {
namespace {

constexpr core::Duration kRenewCheck = core::Duration::seconds(3600);
constexpr core::Duration kLongestTick = core::Duration::millis(100);
constexpr core::Duration kGoodbye = core::Duration::millis(300);
constexpr core::Duration kStoreQuestions = core::Duration::seconds(1);
/// No disk that is well makes a question wait so long.
constexpr core::Duration kStoreIsSilent = core::Duration::seconds(5);

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

std::string in_url(const std::string& address) {
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

Clock system_clock() { return {net::monotonic_now, net::wall_now}; }

core::Result<TlsIdentity, core::Failure> open_identity(const Settings& settings) {
  if (!settings.tls_cert.empty())
    return open_own_identity(net::wall_now(), settings.tls_cert, settings.tls_key);
  return open_private_identity(net::wall_now(), settings.data + "/tls",
                               {settings.public_address, host_name()});
}

}  // namespace

struct Server::Impl {
  Impl(IoLoop& l, ServerConfig c) : loop(l), config(std::move(c)), timer(l), renew_timer(l) {}

  using Done = std::function<void(core::Result<ServerReady, core::Failure>)>;
  void read_key(Done done);
  void read_admin_hash(Done done);
  void load(Done done);
  void listen(std::vector<conference::Conference> conferences, const KeptGenerations& generations, Done done);
  void tick();
  void ask_store();
  core::Duration store_silence() const;
  void renew_certificate();
  std::string what_is_missing() const;
  HostConfig host_config() const;
  HttpsConfig https_config() const;

  IoLoop& loop;
  ServerConfig config;
  Metrics metrics;
  crypto::SystemRandom random;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<StoreJournal> journal;
  std::unique_ptr<TokenSigner> signer;
  std::unique_ptr<AdminGate> gate;
  std::unique_ptr<ConferenceHost> host;
  std::unique_ptr<ConnectApi> api;
  std::unique_ptr<Site> site;
  std::unique_ptr<MediaClient> media;
  std::unique_ptr<DebugDesk> debug;
  std::unique_ptr<HttpsServer> https;
  std::unique_ptr<RedirectServer> redirect;
  LoopTimer timer, renew_timer;
  TlsIdentity identity;
  ServerReady ready;
  std::string admin_secret;     ///< forgotten once told
  bool is_store_asked = false;  ///< a question is with it
  bool is_store_silent = false;
  core::Instant store_asked_at;
  bool stopping = false;
};

void Server::Impl::read_key(Done done) {
  const crypto::Ed25519Key fresh = crypto::Ed25519Key::generate(random);
  const std::string seed(core::as_text(fresh.to_seed()));
  store->get_or_put_setting(
      "signing_key.ed25519", seed, [this, done](core::Result<std::string, core::Failure> stored) {
        if (!stored) return done(core::err(stored.error()));
        crypto::Ed25519Key::Seed kept{};
        if (stored->size() != kept.size())
          return done(core::err(
              core::Failure{std::make_error_code(std::errc::bad_message), "signing key in the store"}));
        std::copy(stored->begin(), stored->end(), kept.begin());
        signer = std::make_unique<TokenSigner>(crypto::Ed25519Key::from_seed(kept));
        read_admin_hash(done);
      });
}

void Server::Impl::read_admin_hash(Done done) {
  admin_secret = crypto::make_token(random, 24);
  const std::string hash = AdminGate::hash_of(admin_secret);
  store->get_or_put_setting(
      "admin_token", hash, [this, hash, done](core::Result<std::string, core::Failure> stored) {
        if (!stored) return done(core::err(stored.error()));
        if (*stored != hash) admin_secret.clear();
        gate = std::make_unique<AdminGate>(*stored, *signer, metrics, random);
        if (core::Result<std::string, core::Failure> local = make_local_token(config.settings.data, random);
            local)
          gate->allow_local(*local);
        else
          logger().warn("no token for the commands on this machine",
                        {{"why", net::to_string(local.error())}});
        load(done);
      });
}

void Server::Impl::load(Done done) {
  store->load_live([this, done](core::Result<store::LiveConferences, core::Failure> live) {
    if (!live) return done(core::err(live.error()));
    for (const store::DamagedConference& damaged : live->damaged)
      logger().error("conference damaged on disk", {{"conference", damaged.number},
                                                    {"what", damaged.what},
                                                    {"restored_in_part", damaged.is_restored}});
    store->list_settings(std::string(StoreJournal::kGenerations),
                         [this, done, conferences = std::move(live->conferences)](
                             core::Result<store::SettingList, core::Failure> kept) {
                           if (!kept) return done(core::err(kept.error()));
                           listen(conferences, StoreJournal::generations_of(*kept), done);
                         });
  });
}

HostConfig Server::Impl::host_config() const {
  HostConfig made;
  made.base_url = ready.url;
  made.version = config.version;
  made.conferences = config.settings.conferences;
  made.sessions = size_t{config.settings.connections} * 2;
  made.conference_settings.may_unmute_self = config.settings.may_unmute_self;
  made.conference_settings.limits.participants = config.settings.participants;
  made.resume_window = config.resume_window;
  made.hello_time = config.hello_time;
  made.empty_time = core::Duration::seconds(int64_t{config.settings.empty_minutes} * 60);
  return made;
}

HttpsConfig Server::Impl::https_config() const {
  return {config.settings.bind_address, static_cast<uint16_t>(config.settings.https_port),
          config.settings.connections, config.settings.connections_per_address};
}

void Server::Impl::listen(std::vector<conference::Conference> conferences, const KeptGenerations& generations,
                          Done done) {
  core::Result<TlsIdentity, core::Failure> opened = open_identity(config.settings);
  if (!opened) return done(core::err(opened.error()));
  identity = std::move(*opened);
  // Links name the port, which is known only once it is bound; nothing is accepted before this function
  // returns.
  https = std::make_unique<HttpsServer>(loop, metrics, https_config());
  if (core::Result<void, core::Failure> listening = https->listen(identity); !listening)
    return done(core::err(listening.error()));
  const uint16_t port = https->port();
  ready.url =
      "https://" + in_url(config.settings.public_address) + (port == 443 ? "" : ":" + std::to_string(port));
  host = std::make_unique<ConferenceHost>(host_config(), system_clock(), random, *signer, metrics, *journal);
  api = std::make_unique<ConnectApi>(ConnectApi::Config{config.settings.demo}, *host, *gate, system_clock());
  site = std::make_unique<Site>(
      Site::Config{config.settings.demo, config.version, identity.ca_pem, identity.ca_fingerprint},
      config.pages, *api, *gate, metrics, system_clock(), [this] { return what_is_missing(); },
      [this] { return host->alarms(); },
      [this](bool reveal, std::function<void(std::string)> told) {
        debug->take(net::wall_now(), Veil(reveal), std::move(told));
      });
  media = std::make_unique<MediaClient>(loop, metrics,
                                        MediaClient::Config{config.settings.media_socket, config.version,
                                                            config.on_no_media, config.on_silent_media},
                                        *host);
  debug = std::make_unique<DebugDesk>(DebugDesk::Sources{config.version, *host, *media, *store, metrics,
                                                         [this] { return what_is_missing(); }});
  host->attach(*https, *media);
  https->attach(
      [this](const HttpRequest& request, ReplyFunction reply) { site->handle(request, std::move(reply)); },
      *host);
  host->restore(std::move(conferences), generations);
  media->start();
  if (config.settings.redirect_port != 0) {
    redirect = std::make_unique<RedirectServer>(loop, ready.url);
    const uint16_t plain = static_cast<uint16_t>(config.settings.redirect_port);
    if (core::Result<void, core::Failure> listening = redirect->listen(config.settings.bind_address, plain);
        !listening)
      return done(core::err(listening.error()));
  }
  tick();
  renew_timer.set(net::monotonic_now() + kRenewCheck, [this] { renew_certificate(); });
  if (!admin_secret.empty()) ready.admin_link = ready.url + "/admin-link#" + admin_secret;
  admin_secret.clear();
  if (!identity.ca_pem.empty()) ready.ca_file = config.settings.data + "/tls/ca.crt";
  done(ready);
}

void Server::Impl::tick() {
  host->handle_time();
  metrics.set(Metric::JournalPending, store->counters().waiting);
  ask_store();
  // Deadlines of the host that come up between two ticks wait no longer than this.
  timer.set(std::min(host->deadline(), net::monotonic_now() + kLongestTick), [this] { tick(); });
}

/// Like every write, a question waits behind what the disk does not finish.
void Server::Impl::ask_store() {
  const core::Instant now = net::monotonic_now();
  if (!is_store_asked && now - store_asked_at >= kStoreQuestions) {
    is_store_asked = true;
    store_asked_at = now;
    store->get_setting("admin_token", [this](core::Result<std::optional<std::string>, core::Failure>) {
      is_store_asked = false;
    });
  }
  const bool is_silent = store_silence() > kStoreIsSilent;
  if (is_silent == is_store_silent) return;
  is_store_silent = is_silent;
  metrics.set(Metric::StoreSilent, is_silent ? 1 : 0);
  if (is_silent)
    logger().error("store does not answer: does the disk hang?", {{"folder", config.settings.data}});
  else
    logger().info("store answers again", {});
}

core::Duration Server::Impl::store_silence() const {
  return is_store_asked ? net::monotonic_now() - store_asked_at : core::Duration();
}

void Server::Impl::renew_certificate() {
  core::Result<TlsIdentity, core::Failure> opened = open_identity(config.settings);
  if (!opened) {
    logger().error("certificate could not be renewed",
                   {{"what", opened.error().context}, {"error", opened.error().code.message()}});
  } else if (opened->chain_pem != identity.chain_pem) {
    identity = std::move(*opened);
    if (https->use_identity(identity)) logger().info("certificate renewed");
  }
  renew_timer.set(net::monotonic_now() + kRenewCheck, [this] { renew_certificate(); });
}

std::string Server::Impl::what_is_missing() const {
  if (stopping) return "ending";
  std::string missing;
  if (is_store_silent)
    missing = "the store has not answered for " + std::to_string(store_silence().to_millis() / 1000) +
              " s; the disk of " + config.settings.data + " hangs";
  if (!media->is_ready()) {
    const std::string trouble = config.media_trouble ? config.media_trouble() : std::string();
    missing += (missing.empty() ? "" : "; ") +
               ("the media process does not answer at " + config.settings.media_socket) +
               (trouble.empty() ? "" : "; " + trouble);
  }
  return missing;
}

Server::Server(IoLoop& loop, ServerConfig config) : impl_(std::make_unique<Impl>(loop, std::move(config))) {}

Server::~Server() {
  impl_->timer.cancel();
  impl_->renew_timer.cancel();
  impl_->redirect.reset();
  impl_->https.reset();
  impl_->media.reset();
}

void Server::start(std::function<void(core::Result<ServerReady, core::Failure>)> done) {
  Impl& impl = *impl_;
  if (core::Result<void, core::Failure> made = make_private_folder(impl.config.settings.data); !made)
    return done(core::err(made.error()));
  store::Config config;
  config.path = impl.config.settings.data + "/huitang.db";
  core::Result<std::unique_ptr<store::Store>, core::Failure> opened = store::Store::open(
      config, [&loop = impl.loop](std::function<void()> work) { loop.post(std::move(work)); });
  if (!opened) return done(core::err(opened.error()));
  impl.store = std::move(*opened);
  impl.journal = std::make_unique<StoreJournal>(*impl.store, impl.metrics);
  impl.read_key(std::move(done));
}

void Server::prepare_demo(std::function<void(core::Result<std::string, core::Failure>)> done) {
  if (const std::optional<std::string> live = impl_->host->any_conference()) return done(*live);
  impl_->host->create_conference(
      "会堂演示 Demo", [done = std::move(done)](core::Result<CreatedConference, conference::Refusal> made) {
        if (made) return done(made->number);
        done(core::err(core::Failure{std::make_error_code(std::errc::io_error), made.error().detail}));
      });
}

void Server::shut_down(bool end_media, std::function<void()> done) {
  Impl& impl = *impl_;
  if (impl.stopping) return;
  impl.stopping = true;
  if (!impl.https) return done();
  impl.https->begin_shutdown();
  auto goodbye = [&impl, done = std::move(done)] {
    // Closing handshakes get a moment; nobody waits for a client that does not answer.
    impl.timer.set(net::monotonic_now() + kGoodbye, done);
  };
  if (end_media && impl.media && impl.media->is_ready())
    return impl.media->shut_node_down(std::move(goodbye));
  goodbye();
}

bool Server::media_ready() const { return impl_->media && impl_->media->is_ready(); }
std::string Server::status() const {
  const std::string missing = impl_->what_is_missing();
  if (!missing.empty()) return missing;
  return "ready, " + std::to_string(impl_->metrics.get(Metric::Conferences)) + " conferences, " +
         std::to_string(impl_->metrics.get(Metric::Participants)) + " participants";
}

core::Duration Server::store_silence() const { return impl_->store_silence(); }

uint16_t Server::port() const { return impl_->https->port(); }
Metrics& Server::metrics() { return impl_->metrics; }
ConferenceHost& Server::host() { return *impl_->host; }
ClientSockets& Server::sockets() { return *impl_->https; }

}  // namespace huitang::api
