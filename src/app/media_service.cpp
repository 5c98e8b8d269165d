#include "app/media_service.h"

#include "net/log.h"

namespace huitang::app {

void MediaService::check() {
  const uint32_t ends = quick_ends();
  const bool is_in_crash_loop = ends >= net::kCrashLoop;
  if (is_in_crash_loop == is_in_crash_loop_) return;
  is_in_crash_loop_ = is_in_crash_loop;
  metrics_.set(api::Metric::MediaCrashLoop, is_in_crash_loop ? 1 : 0);
  if (is_in_crash_loop)
    net::root_logger().error("media service ends again and again", {{"times", ends}});
  else
    net::root_logger().info("media service lives again", {});
}

std::string MediaService::trouble() const {
  const uint32_t ends = quick_ends();
  if (ends < net::kCrashLoop) return {};
  return "it ended " + std::to_string(ends) +
         " times in a row soon after its start and is being started again; the reason is in the journal of "
         "the "
         "media service";
}

/// The process that runs or waits at the moment is counted, but has not ended.
uint32_t MediaService::quick_ends() const {
  const uint32_t starts = record_ ? record_->count() : 0;
  return starts > 0 ? starts - 1 : 0;
}

}  // namespace huitang::app
