// What the media process charges for one forwarded packet.
//
//   forward_bench --media PATH/huitang [--receivers 50] [--video-kbps 2000] [--seconds 10] [--media-cpu 0]
//   [--load-cpu 1]
//
// Starts `huitang media` with one worker on one core and drives it over its control socket, from the other
// core, with real ICE, DTLS and SRTP: one publisher (VP8-shaped video and Opus-shaped sound), N receivers
// that each show the video and hear the sound and that send transport-wide feedback and receiver reports.
// Receivers' sockets have no UDP GRO. Loss is counted on clear headers; one packet in 20 is opened, and the
// stamp inside tells its age. One line of JSON on standard output: CPU (user and system) of the media process
// per RTP packet that arrived.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bot/client_transport.h"
#include "bot/synthetic_media.h"
#include "bwe/twcc_recorder.h"
#include "crypto/system_random.h"
#include "huitang/v1/media.pb.h"
#include "net/clock.h"
#include "net/event_loop.h"
#include "net/failure.h"
#include "net/frame_socket.h"
#include "net/udp_socket.h"
#include "rtp/receive_statistics.h"
#include "rtp/rtcp.h"

namespace huitang {
namespace {

using core::Duration;
using core::Instant;

struct Options {
  std::string media;
  uint32_t receivers = 50;
  uint32_t video_kbps = 2000;
  double seconds = 10;
  int media_cpu = 0;
  int load_cpu = 1;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "forward_bench: %s\n", what.c_str());
  std::exit(1);
}

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

/// The process under measurement; ended with this object.
class MediaProcess {
 public:
  explicit MediaProcess(const Options& o) {
    socket_ = "/tmp/huitang-forward-bench-" + std::to_string(::getpid()) + ".sock";
    pid_ = ::fork();
    if (pid_ == 0) {
      pin(o.media_cpu);
      ::execl(o.media.c_str(), o.media.c_str(), "media", "--socket", socket_.c_str(), "--udp-port", "0",
              "--bind", "127.0.0.1", "--public-address", "127.0.0.1", "--workers", "1", "--log-level", "warn",
              nullptr);
      std::perror("forward_bench: exec");
      ::_exit(127);
    }
  }
  ~MediaProcess() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  const std::string& socket() const { return socket_; }
  /// User and system seconds so far.
  double cpu_seconds() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    text = text.substr(text.rfind(')') + 2);
    unsigned long long user = 0, system = 0;
    if (std::sscanf(text.c_str(), "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) !=
        2)
      die("cannot read the CPU time of the media process");
    return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  long resident_kib() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
    long total = 0, resident = 0;
    file >> total >> resident;
    return resident * (::sysconf(_SC_PAGESIZE) / 1024);
  }

 private:
  std::string socket_;
  pid_t pid_ = -1;
};

/// Requests to the node, answered one by one.
class Control {
 public:
  Control(net::EventLoop& loop, const std::string& path) : loop_(loop) {
    const Instant give_up = net::monotonic_now() + Duration::seconds(20);
    while (!socket_ && net::monotonic_now() < give_up) {
      auto socket = net::FrameSocket::connect(
          loop, path,
          {[this](core::Bytes frame) { on_frame(frame); }, [](auto) { die("the media process ended"); }});
      if (socket)
        socket_ = std::move(*socket);
      else
        loop.run_once(Duration::millis(20));
    }
    if (!socket_) die("no media process at " + path);
    v1::MediaMessage hello;
    hello.mutable_hello()->set_version_min(1);
    hello.mutable_hello()->set_version_max(1);
    call(hello);
  }

  v1::MediaMessage call(v1::MediaMessage message) {
    message.set_id(++next_id_);
    const std::string bytes = message.SerializeAsString();
    socket_->send(core::as_bytes(bytes));
    const Instant give_up = net::monotonic_now() + Duration::seconds(20);
    while (answer_.reply_to() != next_id_ && net::monotonic_now() < give_up)
      loop_.run_once(Duration::millis(50));
    if (answer_.reply_to() != next_id_) die("the node does not answer");
    if (answer_.has_error()) die("the node refused: " + answer_.error().detail());
    return answer_;
  }

 private:
  void on_frame(core::Bytes frame) {
    v1::MediaMessage message;
    if (message.ParseFromArray(frame.data(), static_cast<int>(frame.size())) && message.reply_to() != 0)
      answer_ = std::move(message);
  }
  net::EventLoop& loop_;
  std::unique_ptr<net::FrameSocket> socket_;
  uint64_t next_id_ = 0;
  v1::MediaMessage answer_;
};

/// What one receiver counted since the last mark.
struct Figures {
  uint64_t packets = 0;
  uint64_t lost = 0;
  std::vector<double> ages_ms;
};

class Client {
 public:
  Client(Instant now, uint64_t id, const bot::ClientTransport::Services& services)
      : id_(id),
        socket_(net::UdpSocket::open({core::IpAddress::v4(127, 0, 0, 1), 0},
                                     {.receive_buffer = 2 << 20, .gro = false})
                    .value()),
        transport_(now, {.cname = "load"}, services),
        recorder_({}) {}

  uint64_t id() const { return id_; }
  int fd() const { return socket_.fd(); }
  bot::ClientTransport& transport() { return transport_; }
  Figures& figures() { return figures_; }
  bool take_key_frame_wish() { return std::exchange(key_frame_wished_, false); }

  void open(Instant now, Control& control) {
    v1::MediaMessage message;
    v1::OpenPeer& open = *message.mutable_open_peer();
    open.set_peer(id_);
    open.set_offer(transport_.offer_text());
    open.set_group_hint(1);
    for (const sdp::OfferedLine& line : transport_.lines()) {
      v1::Line& out = *open.add_lines();
      out.set_mid(line.mid);
      out.set_use(static_cast<v1::LineUse>(line.use));
      out.set_index(line.index);
    }
    const auto done = transport_.handle_answer(now, control.call(message).peer_opened().answer());
    if (!done) die("answer of the node: " + done.error());
  }

  void receive(Instant now) {
    for (;;) {
      const auto datagrams = socket_.receive();
      if (datagrams.empty()) return;
      for (const net::ReceivedDatagram& d : datagrams) handle(now, d);
    }
  }

  /// Timers, control datagrams, feedback and reports.
  void turn(Instant now) {
    if (const auto due = transport_.deadline(); due && *due <= now) transport_.handle_deadline(now);
    while (const auto transmit = transport_.poll_transmit()) socket_.send(transmit->to, transmit->bytes);
    if (!transport_.can_send()) return;
    std::array<uint8_t, 1400> clear, sealed;
    while (const size_t size = recorder_.poll_feedback(now, clear)) send_rtcp({clear.data(), size}, sealed);
    if (now < next_report_) return;
    next_report_ = now + Duration::seconds(1);
    rtp::CompoundWriter writer(clear);
    std::vector<rtp::ReportBlock> blocks;
    for (auto& [ssrc, stream] : streams_)
      if (stream.statistics.has_news()) blocks.push_back(stream.statistics.take_report(now));
    if (blocks.size() > rtp::kMaxReportBlocks) blocks.resize(rtp::kMaxReportBlocks);
    writer.add_receiver_report(1, blocks);
    send_rtcp(writer.written(), sealed);
  }

  void send_rtp(uint64_t index, core::Bytes header, core::Bytes payload) {
    std::array<uint8_t, 1472> sealed;
    const size_t size = transport_.seal_rtp(index, header, payload, sealed);
    if (size != 0) socket_.send(*transport_.destination(), {sealed.data(), size});
  }

  void mark() {
    figures_ = {};
    for (auto& [ssrc, stream] : streams_) stream.first = stream.highest + 1, stream.packets = 0;
  }
  void settle() {
    for (auto& [ssrc, stream] : streams_) {
      const int64_t expected = stream.highest + 1 - stream.first;
      if (expected > static_cast<int64_t>(stream.packets))
        figures_.lost += static_cast<uint64_t>(expected) - stream.packets;
    }
  }

 private:
  struct Stream {
    explicit Stream(uint32_t ssrc) : statistics(ssrc, 90'000) {}
    rtp::ReceiveStatistics statistics;
    core::Unwrapper<uint16_t> unwrapper;
    int64_t first = 0;
    int64_t highest = -1;
    uint64_t packets = 0;
  };

  void handle(Instant now, const net::ReceivedDatagram& d) {
    const bool is_media =
        d.bytes.size() > 12 && (d.bytes[0] & 0xc0) == 0x80 && (d.bytes[1] < 192 || d.bytes[1] > 223);
    if (is_media) {
      count(now, d.bytes);
      if (++seen_ % 20 != 0) return;
    }
    const auto received = transport_.handle_datagram(now, d.from, d.bytes);
    if (const auto* rtp = std::get_if<bot::ClientTransport::Rtp>(&received))
      check_stamp(now, rtp->packet.payload());
    if (const auto* rtcp = std::get_if<bot::ClientTransport::Rtcp>(&received)) {
      rtp::CompoundReader reader(rtcp->packets);
      while (const auto packet = reader.next())
        if (std::holds_alternative<rtp::PliView>(*packet)) key_frame_wished_ = true;
    }
  }

  void count(Instant now, core::Bytes bytes) {
    const auto view = rtp::parse_protected_packet(bytes);
    if (!view) return;
    ++figures_.packets;
    auto [it, is_new] = streams_.try_emplace(view->header.ssrc, view->header.ssrc);
    Stream& stream = it->second;
    const int64_t number = stream.unwrapper.unwrap(view->header.sequence_number);
    if (is_new) stream.first = number;
    stream.highest = std::max(stream.highest, number);
    ++stream.packets;
    stream.statistics.handle_packet(now, view->header.sequence_number, view->header.timestamp,
                                    view->payload_size);
    if (const auto number16 = rtp::read_transport_cc(*view, transport_.extension_ids()))
      recorder_.handle_packet(now, *number16, view->header.ssrc,
                              core::ByteCount(static_cast<int64_t>(bytes.size())));
  }

  void check_stamp(Instant now, core::Bytes payload) {
    const auto sent = bot::read_stamp(payload);
    if (!sent) die("a forwarded payload is damaged");
    figures_.ages_ms.push_back((now - *sent).to_seconds() * 1e3);
  }

  void send_rtcp(core::Bytes clear, core::MutableBytes room) {
    const size_t size = transport_.seal_rtcp(clear, room);
    if (size != 0) socket_.send(*transport_.destination(), room.first(size));
  }

  uint64_t id_;
  net::UdpSocket socket_;
  bot::ClientTransport transport_;
  bwe::TwccRecorder recorder_;
  std::unordered_map<uint32_t, Stream> streams_;
  Instant next_report_;
  uint64_t seen_ = 0;
  bool key_frame_wished_ = false;
  Figures figures_;
};

/// Sends a camera of one layer at 30 frames a second and a microphone at 50 packets a second.
class Publisher {
 public:
  Publisher(Client& client, const Options& o)
      : client_(client),
        video_({.ssrc = 2001, .payload_type = sdp::kOfferVp8, .frame_bytes = o.video_kbps * 1000 / 8 / 30}),
        audio_({.ssrc = 1001, .payload_type = sdp::kOfferOpus}) {}

  void turn(Instant now) {
    if (client_.take_key_frame_wish()) video_.request_key_frame();
    if (next_frame_ == Instant()) next_frame_ = next_audio_ = now;
    while (next_audio_ <= now) {
      send(audio_.next(net::monotonic_now()), "0", {}, true);
      next_audio_ += Duration::millis(20);
    }
    while (next_frame_ <= now) {
      for (const bot::SyntheticPacket& packet : video_.next_frame(net::monotonic_now()))
        send(packet, "1", "f", false);
      next_frame_ += Duration::micros(33'333);
    }
  }

 private:
  void send(const bot::SyntheticPacket& packet, std::string_view mid, std::string_view rid, bool audio) {
    std::array<uint8_t, 200> room;
    const rtp::ExtensionIds& ids = client_.transport().extension_ids();
    rtp::HeaderWriter writer(room, packet.header);
    rtp::write_mid(writer, ids, mid);
    if (!rid.empty()) rtp::write_rid(writer, ids, rid);
    rtp::write_transport_cc(writer, ids, transport_number_++);
    if (audio) rtp::write_audio_level(writer, ids, {true, 20});
    client_.send_rtp(packet.index, {room.data(), writer.finish()}, packet.payload);
  }

  Client& client_;
  bot::SyntheticVideo video_;
  bot::SyntheticAudio audio_;
  uint16_t transport_number_ = 0;
  Instant next_frame_, next_audio_;
};

class Bench {
 public:
  explicit Bench(const Options& o)
      : options_(o),
        process_(o),
        control_(loop_, process_.socket()),
        identity_(dtls::Identity::generate(net::wall_now())),
        backend_(srtp::make_best_backend()),
        services_{identity_, *backend_, random_} {}

  int run() {
    open_clients();
    publish();
    Publisher publisher(*clients_[0], options_);
    run_for(Duration::seconds(3), &publisher);
    const bool all_see =
        std::all_of(clients_.begin() + 1, clients_.end(), [](auto& c) { return c->figures().packets > 0; });
    if (!all_see) die("not every receiver gets packets");
    for (auto& client : clients_) client->mark();
    const double cpu_before = process_.cpu_seconds();
    const Instant began = net::monotonic_now();
    run_for(Duration::seconds_f(options_.seconds), &publisher);
    const double wall = (net::monotonic_now() - began).to_seconds();
    report(process_.cpu_seconds() - cpu_before, wall);
    return 0;
  }

 private:
  void open_clients() {
    for (uint64_t id = 1; id <= options_.receivers + 1; ++id) {
      clients_.push_back(std::make_unique<Client>(net::monotonic_now(), id, services_));
      clients_.back()->open(net::monotonic_now(), control_);
      run_for(Duration::millis(2), nullptr);
    }
    const Instant give_up = net::monotonic_now() + Duration::seconds(60);
    const auto all_up = [this] {
      return std::all_of(clients_.begin(), clients_.end(), [](auto& c) { return c->transport().can_send(); });
    };
    while (!all_up() && net::monotonic_now() < give_up) run_for(Duration::millis(20), nullptr);
    if (!all_up()) die("not every client connected: " + clients_.back()->transport().failure());
  }

  void publish() {
    const auto bind = [this](uint32_t source, v1::LineUse use) {
      v1::MediaMessage message;
      v1::BindSource& b = *message.mutable_bind_source();
      b.set_source(source);
      b.set_peer(clients_[0]->id());
      b.set_use(use);
      b.set_group(1);
      b.set_forwarded(true);
      control_.call(message);
    };
    bind(101, v1::LINE_USE_MICROPHONE);
    bind(102, v1::LINE_USE_CAMERA);
    v1::MediaMessage group;
    group.mutable_set_group()->set_group(1);
    for (const auto& client : clients_) group.mutable_set_group()->add_listeners(client->id());
    control_.call(group);
    for (size_t i = 1; i < clients_.size(); ++i) {
      v1::MediaMessage view;
      view.mutable_set_peer_view()->set_peer(clients_[i]->id());
      v1::PeerSlot& slot = *view.mutable_set_peer_view()->add_slots();
      slot.set_use(v1::LINE_USE_VIDEO_SLOT);
      slot.set_source(102);
      slot.set_width(1280);
      slot.set_height(720);
      control_.call(view);
    }
  }

  void run_for(Duration span, Publisher* publisher) {
    const Instant until = net::monotonic_now() + span;
    for (Instant now = net::monotonic_now(); now < until; now = net::monotonic_now()) {
      if (publisher != nullptr) publisher->turn(now);
      for (auto& client : clients_) {
        client->receive(net::monotonic_now());
        client->turn(now);
      }
      loop_.run_once(Duration::millis(1));
    }
  }

  void report(double cpu, double wall) {
    uint64_t packets = 0, lost = 0;
    std::vector<double> ages;
    for (size_t i = 1; i < clients_.size(); ++i) {
      clients_[i]->settle();
      Figures& f = clients_[i]->figures();
      packets += f.packets;
      lost += f.lost;
      ages.insert(ages.end(), f.ages_ms.begin(), f.ages_ms.end());
    }
    std::sort(ages.begin(), ages.end());
    const auto at = [&ages](double q) {
      return ages.empty() ? 0.0 : ages[static_cast<size_t>(q * static_cast<double>(ages.size() - 1))];
    };
    std::printf(
        "{\"receivers\": %u, \"packets\": %llu, \"pps\": %.0f, \"ns_per_packet\": %.0f, \"core_share\": "
        "%.3f, "
        "\"loss\": %.6f, \"age_p50_ms\": %.2f, \"age_p99_ms\": %.2f, \"resident_kib\": %ld, \"profile\": "
        "\"%s\"}\n",
        options_.receivers, static_cast<unsigned long long>(packets), static_cast<double>(packets) / wall,
        cpu * 1e9 / static_cast<double>(packets), cpu / wall,
        static_cast<double>(lost) / static_cast<double>(packets + lost), at(0.5), at(0.99),
        process_.resident_kib(), crypto::to_string(*clients_[1]->transport().srtp_profile()));
  }

  Options options_;
  MediaProcess process_;
  net::EventLoop loop_;
  Control control_;
  crypto::SystemRandom random_;
  dtls::Identity identity_;
  std::unique_ptr<srtp::Backend> backend_;
  bot::ClientTransport::Services services_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace
}  // namespace huitang

int main(int argc, char** argv) {
  huitang::Options o;
  CLI::App app("what the media process charges for one forwarded packet");
  app.add_option("--media", o.media, "the huitang executable")->required()->check(CLI::ExistingFile);
  app.add_option("--receivers", o.receivers)->check(CLI::Range(1, 900))->capture_default_str();
  app.add_option("--video-kbps", o.video_kbps)->check(CLI::Range(50, 20000))->capture_default_str();
  app.add_option("--seconds", o.seconds)->check(CLI::Range(0.5, 3600.0))->capture_default_str();
  app.add_option("--media-cpu", o.media_cpu)->capture_default_str();
  app.add_option("--load-cpu", o.load_cpu)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  huitang::pin(o.load_cpu);
  return huitang::Bench(o).run();
}
