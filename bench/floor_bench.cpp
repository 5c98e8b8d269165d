// The floor: what the kernel alone charges for one packet sent, with no SFU, no crypto, nothing decided.
//
//   floor_bench [--receivers N] [--seconds S] [--size BYTES] [--sender-cpu C] [--drain-cpu D]
//
// N loopback sockets without UDP GRO are drained by a thread of their own; the sender, pinned, sends each
// round one packet to each (`sendmmsg`), or four to each by segmentation offload (`gso4`). Figures are CPU
// time of the sending thread per packet. One line of JSON on standard output.
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103  // netinet/udp.h of newer C libraries
#endif

namespace {

struct Options {
  int receivers = 50;
  double seconds = 2;
  size_t size = 1200;
  int sender_cpu = 0;
  int drain_cpu = 1;
};

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

double seconds_of(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

int open_socket(sockaddr_in& address) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  const int size = 8 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::perror("floor_bench: bind");
    std::exit(1);
  }
  return fd;
}

/// Empties all sockets until told to stop; returns how many datagrams came.
class Drain {
 public:
  Drain(const std::vector<int>& sockets, int cpu) : thread_([this, sockets, cpu] { run(sockets, cpu); }) {}
  ~Drain() { stop(); }
  uint64_t stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return received_;
  }

 private:
  void run(const std::vector<int>& sockets, int cpu) {
    pin(cpu);
    std::vector<uint8_t> memory(64 * 2048);
    std::vector<iovec> vectors(64);
    std::vector<mmsghdr> messages(64);
    for (size_t i = 0; i < 64; ++i) {
      vectors[i] = {memory.data() + i * 2048, 2048};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    while (!stopping_)
      for (const int fd : sockets) {
        const int n = ::recvmmsg(fd, messages.data(), 64, MSG_DONTWAIT, nullptr);
        if (n > 0) received_ += static_cast<uint64_t>(n);
      }
  }
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> received_{0};
  std::thread thread_;
};

/// CPU nanoseconds per packet when each round gives every receiver `segments` packets.
double measure(const Options& o, int sender, const std::vector<sockaddr_in>& to, uint16_t segments) {
  std::vector<uint8_t> payload(o.size * segments, 7);
  iovec vector{payload.data(), payload.size()};
  struct alignas(cmsghdr) Control {
    uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
  };
  std::vector<Control> controls(to.size());
  std::vector<mmsghdr> messages(to.size());
  for (size_t i = 0; i < to.size(); ++i) {
    msghdr& h = messages[i].msg_hdr;
    h.msg_name = const_cast<sockaddr_in*>(&to[i]);
    h.msg_namelen = sizeof to[i];
    h.msg_iov = &vector;
    h.msg_iovlen = 1;
    if (segments == 1) continue;
    h.msg_control = controls[i].bytes;
    h.msg_controllen = sizeof controls[i].bytes;
    cmsghdr* c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    const auto segment = static_cast<uint16_t>(o.size);
    std::memcpy(CMSG_DATA(c), &segment, sizeof segment);
  }
  uint64_t packets = 0;
  const double until = seconds_of(CLOCK_MONOTONIC) + o.seconds;
  const double cpu_before = seconds_of(CLOCK_THREAD_CPUTIME_ID);
  while (seconds_of(CLOCK_MONOTONIC) < until) {
    for (size_t at = 0; at < messages.size();) {
      const int n = ::sendmmsg(sender, messages.data() + at, static_cast<unsigned>(messages.size() - at), 0);
      if (n <= 0) break;
      at += static_cast<size_t>(n);
      packets += static_cast<uint64_t>(n) * segments;
    }
    ::sched_yield();
  }
  return (seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu_before) * 1e9 / static_cast<double>(packets);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("cost of sending one packet on this machine, with no SFU");
  app.add_option("--receivers", o.receivers)->check(CLI::Range(1, 4000))->capture_default_str();
  app.add_option("--seconds", o.seconds)->check(CLI::Range(0.1, 600.0))->capture_default_str();
  app.add_option("--size", o.size)->check(CLI::Range(16, 1472))->capture_default_str();
  app.add_option("--sender-cpu", o.sender_cpu)->capture_default_str();
  app.add_option("--drain-cpu", o.drain_cpu)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  pin(o.sender_cpu);
  sockaddr_in own{};
  const int sender = open_socket(own);
  std::vector<int> sockets;
  std::vector<sockaddr_in> to(static_cast<size_t>(o.receivers));
  for (sockaddr_in& address : to) sockets.push_back(open_socket(address));
  Drain drain(sockets, o.drain_cpu);
  const double plain = measure(o, sender, to, 1);
  const double gso4 = measure(o, sender, to, 4);
  const uint64_t received = drain.stop();
  std::printf(
      "{\"receivers\": %d, \"size\": %zu, \"sendmmsg_ns\": %.0f, \"gso4_ns\": %.0f, \"received\": %llu}\n",
      o.receivers, o.size, plain, gso4, static_cast<unsigned long long>(received));
  return 0;
}
