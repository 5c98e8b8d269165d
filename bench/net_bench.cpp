// Cost of sending one datagram of 1.2 kB through SendBatch on loopback, by runs of 1, 4 and 16 to each of 16
// destinations, beside the bare sendmmsg loop with ready-made messages; and of receiving one. CPU time per
// datagram. On loopback the sender also does the receiver's half of the kernel's work, up to its socket
// buffer.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "net/send_batch.h"
#include "net/udp_socket.h"

namespace {

using namespace huitang;

constexpr size_t kSize = 1200;
constexpr size_t kDestinations = 16;

net::UdpSocket open_socket() {
  net::UdpSocketOptions options;
  options.gro = false;
  auto socket = net::UdpSocket::open({core::IpAddress::v4(127, 0, 0, 1), 0}, options);
  if (!socket) std::abort();
  return std::move(*socket);
}

struct Receivers {
  Receivers() {
    for (size_t i = 0; i < kDestinations; ++i) sockets.push_back(open_socket());
  }
  std::vector<net::UdpSocket> sockets;
};

/// Empties what fits the buffers, outside the measured time, so that each turn meets the same state.
void drain(Receivers& receivers) {
  for (net::UdpSocket& socket : receivers.sockets) {
    while (!socket.receive().empty()) {
    }
  }
}

void send_batch(benchmark::State& state, bool gso) {
  const auto run = static_cast<size_t>(state.range(0));
  Receivers receivers;
  net::UdpSocket sender = open_socket();
  net::SendBatch batch(sender, {.slots = 1024, .gso = gso});
  const core::Buffer payload(kSize, 1);
  while (state.KeepRunningBatch(static_cast<int64_t>(run * kDestinations))) {
    for (const net::UdpSocket& receiver : receivers.sockets) {
      for (size_t i = 0; i < run; ++i) {
        std::memcpy(batch.slot(receiver.local()).data(), payload.data(), kSize);
        batch.commit(kSize);
      }
    }
    batch.flush();
    state.PauseTiming();
    drain(receivers);
    state.ResumeTiming();
  }
  state.counters["datagrams per message"] =
      static_cast<double>(batch.counters().datagrams) / static_cast<double>(batch.counters().runs);
  if (batch.counters().blocked + batch.counters().refused != 0)
    state.SkipWithError("datagrams were not taken");
}

void bare_sendmmsg(benchmark::State& state) {
  Receivers receivers;
  net::UdpSocket sender = open_socket();
  std::vector<core::Buffer> payloads(kDestinations, core::Buffer(kSize, 1));
  std::vector<sockaddr_in> names(kDestinations);
  std::vector<iovec> vectors(kDestinations);
  std::vector<mmsghdr> messages(kDestinations);
  for (size_t i = 0; i < kDestinations; ++i) {
    names[i].sin_family = AF_INET;
    names[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    names[i].sin_port = htons(receivers.sockets[i].local().port);
    vectors[i] = {payloads[i].data(), kSize};
    messages[i].msg_hdr = {&names[i], sizeof names[i], &vectors[i], 1, nullptr, 0, 0};
  }
  while (state.KeepRunningBatch(kDestinations)) {
    if (::sendmmsg(sender.fd(), messages.data(), kDestinations, MSG_DONTWAIT) !=
        static_cast<int>(kDestinations)) {
      std::abort();
    }
    state.PauseTiming();
    drain(receivers);
    state.ResumeTiming();
  }
}

void receive(benchmark::State& state, bool gro) {
  net::UdpSocketOptions options;
  options.gro = gro;
  auto receiver = net::UdpSocket::open({core::IpAddress::v4(127, 0, 0, 1), 0}, options);
  if (!receiver) std::abort();
  net::UdpSocket sender = open_socket();
  net::SendBatch batch(sender);
  const core::Buffer payload(kSize, 1);
  constexpr size_t kRun = 64;
  while (state.KeepRunningBatch(kRun)) {
    state.PauseTiming();
    for (size_t i = 0; i < kRun; ++i) batch.add(receiver->local(), payload);
    batch.flush();
    state.ResumeTiming();
    for (size_t got = 0; got < kRun;) {
      const size_t n = receiver->receive().size();
      if (n == 0) std::abort();
      got += n;
    }
  }
}

BENCHMARK(bare_sendmmsg);
BENCHMARK_CAPTURE(send_batch, without segmentation, false)->Arg(1)->Arg(4);
BENCHMARK_CAPTURE(send_batch, runs, true)->Arg(1)->Arg(4)->Arg(16);
BENCHMARK_CAPTURE(receive, one by one, false);
BENCHMARK_CAPTURE(receive, UDP_GRO, true);

}  // namespace

BENCHMARK_MAIN();
