// HTTP requests as routes see them: any method, path, field and body. Each is answered exactly once, never with 5xx, and
// no conference is made by who may not.
#include <array>
#include <string>

#include "api/host_harness.h"
#include "api/site.h"
#include "core/check.h"
#include "net/log.h"

using namespace huitang;
using namespace huitang::api;

namespace {

class Box {
 public:
  explicit Box(bool demo)
      : gate_(AdminGate::hash_of("secret"), signer_, harness_.metrics, random_),
        api_({demo}, *harness_.host, gate_, clock()),
        site_(
            {demo, "fuzz", "pem", "AA:BB"}, PageTable({}), api_, gate_, harness_.metrics, clock(),
            [] { return std::string(); }, [] { return std::string(); },
            [](bool, std::function<void(std::string)> done) { done("{}"); }) {}

  void ask(const HttpRequest& request, bool may_create) {
    size_t replies = 0;
    unsigned status = 0;
    const size_t before = harness_.journal.size();
    site_.handle(request, [&](HttpReply reply) {
      ++replies;
      status = reply.status;
    });
    harness_.turn();
    HUITANG_CHECK(replies == 1 && status >= 200 && status < 500);
    HUITANG_CHECK(may_create || harness_.journal.size() == before);
    HUITANG_CHECK(harness_.host->is_consistent());
    harness_.now += core::Duration::seconds(60);  // limits of one address are another test's
  }

 private:
  Clock clock() {
    return {[this] { return harness_.now; },
            [] { return core::WallTime::from_unix_millis(1'700'000'000'000); }};
  }
  HostHarness harness_;
  core::SeededRandom random_{1};
  TokenSigner signer_{crypto::Ed25519Key::from_seed({1, 2, 3})};
  AdminGate gate_;
  ConnectApi api_;
  Site site_;
};

constexpr std::array kPaths{"/",
                            "/j/123456789",
                            "/boot",
                            "/metrics",
                            "/admin-session",
                            "/huitang.v1.ConferenceService/CreateConference",
                            "/huitang.v1.ConferenceService/LookUpConference",
                            "/huitang.v1.ConferenceService/"};
constexpr std::array kTypes{"application/json", "application/proto", "application/json; charset=utf-8",
                            "text/plain"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool quiet = [] {
    net::set_log_level(net::LogLevel::Off);
    return true;
  }();
  if (!quiet || size > 16'384) return 0;
  core::ByteReader in({data, size});
  const auto text = [&] {
    return std::string(core::as_text(in.take(std::min<size_t>(in.u8(), in.remaining()))));
  };
  const bool demo = (in.u8() & 1) != 0;
  Box box(demo);
  for (int i = 0; i < 8 && !in.failed() && in.remaining() > 0; ++i) {
    HttpRequest request;
    const uint8_t bits = in.u8();
    request.method = static_cast<HttpMethod>(bits & 3);
    request.path = (bits & 4) != 0 ? kPaths[in.u8() % kPaths.size()] : text();
    request.content_type = (bits & 8) != 0 ? kTypes[in.u8() % kTypes.size()] : text();
    request.host = "box";
    if ((bits & 16) != 0) request.authorization = text();
    if ((bits & 32) != 0) request.cookie = text();
    if ((bits & 64) != 0) request.origin = text();
    if ((bits & 128) != 0) request.accept_encoding = request.if_none_match = text();
    const size_t body = in.u16() % 2048;
    request.body = std::string(core::as_text(in.take(std::min<size_t>(body, in.remaining()))));
    box.ask(request, demo || request.authorization.find("secret") != std::string::npos);
  }
  return 0;
}
