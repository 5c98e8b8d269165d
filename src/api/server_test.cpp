// The control plane over real TLS and WebSocket on loopback, with a media process that only pretends.
#include "api/server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "api/conference_host.h"
#include "api/fake_media_for_test.h"
#include "api/https_server.h"
#include "api/web_client_for_test.h"

namespace huitang::api {
namespace {

constexpr Page kPages[] = {
    {"/assets/app-0123abcd.js", "text/javascript; charset=utf-8", "\"h1\"", true, {}, {}, {}},
    {"/index.html", "text/html; charset=utf-8", "\"h2\"", false, {}, {}, {}},
};

std::vector<Page> pages_with_content() {
  std::vector<Page> pages(std::begin(kPages), std::end(kPages));
  pages[0].plain = core::as_bytes("console.log(1)");
  pages[0].gzip = core::as_bytes("GZIP");
  pages[0].brotli = core::as_bytes("BROTLI");
  pages[1].plain = core::as_bytes("<!doctype html><title>start</title>");
  return pages;
}

/// A folder of its own that goes with the test.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "huitang-api-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

/// A server with its loop on a thread.
class Running {
 public:
  explicit Running(const std::string& data, bool demo = true) {
    ServerConfig config;
    config.settings.data = data;
    config.settings.bind_address = "127.0.0.1";
    config.settings.public_address = "127.0.0.1";
    config.settings.https_port = 0;
    config.settings.media_socket = data + "/media.sock";
    config.settings.demo = demo;
    config.version = "test";
    static const std::vector<Page> pages = pages_with_content();
    config.pages = PageTable(pages);
    config.resume_window = core::Duration::seconds(30);
    server_ = std::make_unique<Server>(loop_, std::move(config));
    std::promise<core::Result<ServerReady, core::Failure>> ready;
    loop_.post([&] {
      server_->start(
          [&](core::Result<ServerReady, core::Failure> result) { ready.set_value(std::move(result)); });
    });
    thread_ = std::thread([this] { loop_.run(); });
    core::Result<ServerReady, core::Failure> result = ready.get_future().get();
    if (!result) throw std::runtime_error(result.error().context + ": " + result.error().code.message());
    info = *result;
    target.port = server_->port();
    std::ifstream ca(info.ca_file);
    target.ca_pem.assign(std::istreambuf_iterator<char>(ca), std::istreambuf_iterator<char>());
  }
  ~Running() {
    loop_.post([this] { server_->shut_down(false, [this] { loop_.stop(); }); });
    thread_.join();
  }
  /// Runs on the server's thread.
  template <class Work>
  auto on_loop(Work work) {
    std::promise<decltype(work(*server_))> done;
    loop_.post([&] { done.set_value(work(*server_)); });
    return done.get_future().get();
  }
  uint64_t metric(Metric metric) {
    return on_loop([metric](Server& server) { return server.metrics().get(metric); });
  }
  /// Polls a condition on the server's thread; generous, and only an error when it never comes.
  bool eventually(const std::function<bool(Server&)>& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < until) {
      if (on_loop(condition)) return true;
      std::this_thread::yield();
    }
    return false;
  }

  ServerReady info;
  WebTarget target;

 private:
  IoLoop loop_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

std::string field(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":\"";
  const size_t at = json.find(key);
  if (at == std::string::npos) return {};
  const size_t from = at + key.size();
  return json.substr(from, json.find('"', from) - from);
}

struct ServerTest : testing::Test {
  Folder folder;
  std::unique_ptr<FakeMedia> media = std::make_unique<FakeMedia>(folder.path + "/media.sock", "node-1");
  std::unique_ptr<Running> running = std::make_unique<Running>(folder.path);
  const WebTarget& target() const { return running->target; }

  void SetUp() override {
    ASSERT_TRUE(running->eventually([](Server& server) { return server.media_ready(); }));
  }
  std::string create() {
    const WebReply made = web_post(target(), "/huitang.v1.ConferenceService/CreateConference",
                                   "application/json", R"({"title":"Weekly"})");
    return field(made.body, "number");
  }
  std::unique_ptr<WebSocketClient> hello(const std::string& token = "") {
    auto client = std::make_unique<WebSocketClient>(target());
    client->send(R"({"id":1,"hello":{"protocol":1,"resumeToken":")" + token + "\"}}");
    return client;
  }
  std::unique_ptr<WebSocketClient> join(const std::string& number, const std::string& name) {
    auto client = hello();
    last_token = field(client->read_until("welcome").value_or(""), "resumeToken");
    client->send(R"({"id":2,"offer":{"sdp":"v=0"}})");
    client->read_until("answer to v=0");
    client->send(R"({"id":3,"join":{"number":")" + number + R"(","name":")" + name +
                 R"(","cameraOn":true}})");
    last_joined = client->read_until("joined").value_or("");
    return client;
  }
  std::string last_token, last_joined;
};

TEST_F(ServerTest, serves_pages_with_their_headers_and_nothing_else) {
  const WebReply start = web_get(target(), "/");
  EXPECT_EQ(start.status, 200u);
  EXPECT_TRUE(start.has("default-src 'none'"));
  EXPECT_TRUE(start.has("nosniff"));
  EXPECT_FALSE(start.has("Strict-Transport-Security"));
  const WebReply script = web_get(target(), "/assets/app-0123abcd.js", {{"Accept-Encoding", "gzip, br"}});
  EXPECT_EQ(script.body, "BROTLI");
  EXPECT_TRUE(script.has("immutable"));
  EXPECT_EQ(web_get(target(), "/assets/app-0123abcd.js", {{"Accept-Encoding", "br;q=0, gzip"}}).body, "GZIP");
  EXPECT_EQ(web_get(target(), "/assets/app-0123abcd.js").body, "console.log(1)");
  EXPECT_EQ(web_get(target(), "/index.html", {{"If-None-Match", "\"h2\""}}).status, 304u);
  EXPECT_EQ(web_get(target(), "/j/123456789").body, start.body);
  for (const char* path : {"/j/12345678", "/j/../index.html", "/../../etc/passwd", "/%2e%2e/etc/passwd", "//",
                           "/assets", "/j/123456789/x", "/index.html/"})
    EXPECT_EQ(web_get(target(), path).status, 404u) << path;
  EXPECT_EQ(web_post(target(), "/healthz", "text/plain", "x").status, 405u);
}

TEST_F(ServerTest, tells_health_readiness_metrics_and_trust) {
  EXPECT_EQ(web_get(target(), "/healthz").body, "ok\n");
  EXPECT_EQ(web_get(target(), "/readyz").status, 200u);
  media.reset();
  ASSERT_TRUE(running->eventually([](Server& server) { return !server.media_ready(); }));
  const WebReply away = web_get(target(), "/readyz");
  EXPECT_EQ(away.status, 503u);
  EXPECT_NE(away.body.find("media process"), std::string::npos);
  EXPECT_NE(web_get(target(), "/metrics")
                .body.find("# TYPE huitang_media_connected gauge\nhuitang_media_connected 0"),
            std::string::npos);
  EXPECT_EQ(web_get(target(), "/ca.crt").body, target().ca_pem);
  EXPECT_NE(web_get(target(), "/trust").body.find(":"), std::string::npos);
}

TEST_F(ServerTest, looks_conferences_up_without_telling_what_is_not_there) {
  const std::string number = create();
  ASSERT_EQ(number.size(), 9u);
  const std::string method = "/huitang.v1.ConferenceService/LookUpConference";
  const WebReply found = web_post(target(), method, "application/json", R"({"number":")" + number + "\"}");
  EXPECT_EQ(found.status, 200u);
  EXPECT_EQ(field(found.body, "title"), "Weekly");
  const WebReply unknown = web_post(target(), method, "application/json", R"({"number":"999999997"})");
  EXPECT_EQ(unknown.status, 404u);
  EXPECT_EQ(field(unknown.body, "code"), "not_found");
  EXPECT_EQ(web_post(target(), method, "application/json", R"({"number":"x'; --"})").body, unknown.body);
  EXPECT_EQ(web_post(target(), method, "application/json", "{{{").status, 400u);
  EXPECT_EQ(web_post(target(), method, "text/html", "").status, 415u);
  EXPECT_EQ(web_post(target(), method, "application/json", std::string(70'000, ' ')).status, 413u);
  EXPECT_EQ(web_post(target(), "/huitang.v1.ConferenceService/Nothing", "application/json", "{}").status,
            404u);
}

TEST_F(ServerTest, lets_people_join_talk_and_leave) {
  const std::string number = create();
  const auto li = join(number, "Li");
  const auto wang = join(number, "Wang");
  EXPECT_NE(last_joined.find("\"Li\""), std::string::npos);
  EXPECT_TRUE(li->read_until("\"joined\":\"p2\""));
  wang->send(R"({"id":4,"command":{"commandId":"c1","sendChat":{"text":"hello there"}}})");
  EXPECT_TRUE(wang->read_until("commandDone"));
  EXPECT_TRUE(li->read_until("hello there"));
  EXPECT_EQ(media->count([](const v1::MediaMessage& m) { return m.has_bind_source(); }), 8u);
  wang->send(R"({"id":5,"command":{"commandId":"c2","leave":{}}})");
  EXPECT_TRUE(wang->read_until("LEAVE_REASON_OWN_WISH"));
  EXPECT_TRUE(li->read_until("\"gone\":[\"p2\"]"));
}

TEST_F(ServerTest, says_what_the_node_thinks_of_an_offer) {
  const auto client = hello();
  client->send(R"({"id":7,"offer":{"sdp":"broken"}})");
  const std::string refused = client->read_until("refused").value_or("");
  EXPECT_NE(refused.find("REFUSAL_CODE_BAD_SDP"), std::string::npos);
  EXPECT_NE(refused.find("\"replyTo\":7"), std::string::npos);
}

TEST_F(ServerTest, resumes_after_a_cut_and_replaces_an_older_socket) {
  const std::string number = create();
  auto li = join(number, "Li");
  const std::string token = last_token;
  li.reset();
  auto back = hello(token);
  const std::string welcome = back->read_until("welcome").value_or("");
  EXPECT_NE(welcome.find("\"resumed\":true"), std::string::npos);
  EXPECT_TRUE(back->read_until("\"state\""));
  const auto newer = hello(field(welcome, "resumeToken"));
  EXPECT_TRUE(newer->read_until("\"resumed\":true"));
  EXPECT_TRUE(back->read_until("LEAVE_REASON_REPLACED"));
  EXPECT_EQ(back->read_close(), static_cast<unsigned>(CloseCode::Replaced));
}

TEST_F(ServerTest, goes_on_with_conferences_after_a_restart) {
  const std::string number = create();
  auto li = join(number, "Li");
  const std::string token = last_token;
  running.reset();
  EXPECT_EQ(li->read_close(), static_cast<unsigned>(CloseCode::GoingAway));
  running = std::make_unique<Running>(folder.path);
  EXPECT_TRUE(running->info.admin_link.empty()) << "shown at first start only";
  const auto back = hello(token);
  EXPECT_TRUE(back->read_until("\"resumed\":true"));
  const std::string state = back->read_until("\"state\"").value_or("");
  EXPECT_NE(state.find("\"Li\""), std::string::npos);
  EXPECT_TRUE(back->read_until("pleaseReconnect")) << "the node holds no peer of his";
}

TEST_F(ServerTest, asks_clients_to_reconnect_when_another_media_process_answers) {
  const std::string number = create();
  const auto li = join(number, "Li");
  media.reset();
  media = std::make_unique<FakeMedia>(folder.path + "/media.sock", "node-2");
  EXPECT_TRUE(li->read_until("pleaseReconnect"));
  li->send(R"({"id":8,"offer":{"sdp":"again","newPeer":true}})");
  EXPECT_TRUE(li->read_until("answer to again"));
  EXPECT_TRUE(running->eventually([&](Server&) {
    return media->count([](const v1::MediaMessage& m) { return m.has_bind_source(); }) == 4;
  }));
}

TEST_F(ServerTest, keeps_a_connection_through_broken_messages) {
  const auto client = hello();
  client->send("this is no json");
  EXPECT_TRUE(client->read_until("REFUSAL_CODE_BAD_REQUEST"));
  client->send(R"({"id":4,"ping":{"at":"77"}})");
  EXPECT_TRUE(client->read_until("\"pong\""));
}

TEST_F(ServerTest, refuses_a_frame_beyond_the_cap) {
  const auto client = hello();
  client->read_until("welcome");
  client->send(std::string(kMaxSocketMessage + 1000, 'x'));
  client->read_close();  // 1009, unless what was still on its way resets the connection first
  EXPECT_EQ(running->metric(Metric::SocketsAbusive), 1u);
  EXPECT_TRUE(hello()->read_until("welcome"));
}

TEST_F(ServerTest, refuses_a_compression_bomb) {
  WebSocketClient::Options options;
  options.compress = true;
  WebSocketClient client(target(), options);
  client.send(R"({"id":1,"hello":{"protocol":1}})");
  ASSERT_TRUE(client.read_until("welcome"));
  client.send(std::string(50'000'000, ' '));  // some 50 kB on the wire
  client.read_close();
  EXPECT_EQ(running->metric(Metric::SocketsAbusive), 1u);
  EXPECT_TRUE(hello()->read_until("welcome"));
}

TEST_F(ServerTest, takes_sockets_of_its_own_pages_and_subprotocol_only) {
  const std::string own = "https://127.0.0.1:" + std::to_string(target().port);
  auto status = [&](const std::string& origin, const std::string& protocol, const std::string& path) {
    WebSocketClient::Options options;
    options.origin = origin;
    options.subprotocol = protocol;
    options.path = path;
    const WebSocketClient client(target(), options);
    return client.is_open() ? 101u : client.refusal();
  };
  EXPECT_EQ(status(own, "huitang.v1", "/ws"), 101u);
  EXPECT_EQ(status(own, "huitang.v1", "/ws/17"), 101u);
  for (const char* path : {"/ws/", "/ws/x", "/ws/17/", "/ws/12345678901", "/wss"})
    EXPECT_EQ(status(own, "huitang.v1", path), 404u) << path;
  EXPECT_EQ(status("https://evil.example", "huitang.v1", "/ws"), 403u);
  EXPECT_EQ(status("null", "huitang.v1", "/ws"), 403u);
  EXPECT_EQ(status(own, "", "/ws"), 400u);
  EXPECT_EQ(status(own, "chat", "/ws"), 400u);
  EXPECT_EQ(status(own, "huitang.v1", "/elsewhere"), 404u);
}

TEST_F(ServerTest, drops_a_client_whose_queue_is_full_and_lets_it_resume) {
  const std::string number = create();
  const auto slow = join(number, "Slow");
  const std::string token = last_token;
  running->on_loop([](Server& server) {
    const auto text = std::make_shared<const std::string>(kMaxOutgoing / 4, 'x');
    for (int i = 0; i < 8; ++i) server.sockets().send(SocketId(1), text);
    return true;
  });
  EXPECT_EQ(running->metric(Metric::SocketsTooSlow), 1u);
  EXPECT_TRUE(hello(token)->read_until("\"resumed\":true"));
}

TEST_F(ServerTest, opens_administration_by_the_link_and_by_bearer_token) {
  running.reset();
  running = std::make_unique<Running>(folder.path + "/second", false);
  const std::string link = running->info.admin_link;
  const std::string secret = link.substr(link.find('#') + 1);
  const std::string method = "/huitang.v1.ConferenceService/CreateConference";
  EXPECT_EQ(web_post(target(), method, "application/json", "{}").status, 401u);
  EXPECT_NE(web_get(target(), "/api/boot.json").body.find("\"mayCreate\":false"), std::string::npos);
  EXPECT_EQ(web_post(target(), "/api/admin-session", "application/json", R"({"token":"wrong"})").status,
            401u);
  const WebReply session =
      web_post(target(), "/api/admin-session", "application/json", R"({"token":")" + secret + "\"}");
  ASSERT_EQ(session.status, 204u);
  EXPECT_TRUE(session.has("HttpOnly; Secure; SameSite=Strict"));
  const size_t at = session.headers.find("__Host-huitang_admin=");
  const std::string cookie = session.headers.substr(at, session.headers.find(';', at) - at);
  EXPECT_NE(web_get(target(), "/api/boot.json", {{"Cookie", cookie}}).body.find("\"mayCreate\":true"),
            std::string::npos);
  EXPECT_EQ(web_post(target(), method, "application/json", "{}", {{"Cookie", cookie}}).status, 200u);
  EXPECT_EQ(web_post(target(), method, "application/json", "{}",
                     {{"Cookie", cookie}, {"Origin", "https://evil.example"}})
                .status,
            401u);
  EXPECT_EQ(
      web_post(target(), method, "application/json", "{}", {{"Authorization", "Bearer " + secret}}).status,
      200u);
  EXPECT_EQ(
      web_post(target(), method, "application/json", "{}", {{"Authorization", "Bearer " + secret + "x"}})
          .status,
      401u);
}

}  // namespace
}  // namespace huitang::api
