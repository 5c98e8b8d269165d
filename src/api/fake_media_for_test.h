// A media process for tests: speaks the control protocol on a Unix socket from a thread of its own, answers every offer
// and remembers what it was asked.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "huitang/v1/media.pb.h"
#include "net/unique_fd.h"

namespace huitang::api {

class FakeMedia {
 public:
  FakeMedia(std::string path, std::string node_id);
  ~FakeMedia();
  void send_event(const v1::MediaMessage& event);
  /// How many requests fulfil the condition so far.
  size_t count(const std::function<bool(const v1::MediaMessage&)>& condition) const;

 private:
  void run();
  void serve(int fd);
  v1::MediaMessage answer(const v1::MediaMessage& request);
  void write(int fd, const v1::MediaMessage& message);

  std::string path_, node_id_;
  net::UniqueFd listener_;
  mutable std::mutex mutex_;
  std::vector<v1::MediaMessage> asked_;
  int connection_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace huitang::api
