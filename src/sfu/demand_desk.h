// What the sender of a picture is asked to send: simulcast layers above the best that anybody would show are
// paused at the sender, which saves his uplink, his processor and the node's work.
//
// Asked for are always all layers up to the highest that some slot would show if everything flowed: a slot
// whose line grows narrow must find the layer below flowing, and the lower ones are cheap beside the highest.
// What a slot *would* show counts, not what its line carries at the moment, so that there is something to come
// back to. The lowest goes on even while nobody watches: who joins gets a picture with the next key frame,
// without waiting for the sender's encoder to start.
//
// More is asked for at the next review, and changes that may need it hurry that; less only after nobody wanted
// it for kUnwantedAfter, since talk goes back and forth and each return costs a key frame. A new source sends
// everything until then. Who was never told anything sends everything as well, and so does one whom the
// message means nothing; nothing here relies on being followed.
#pragma once

#include "sfu/tables.h"
#include "sfu/video_director.h"

namespace huitang::sfu {

class DemandDesk {
 public:
  static constexpr core::Duration kUnwantedAfter = core::Duration::seconds(4);
  /// Each review goes over all slots.
  static constexpr core::Duration kReviewInterval = core::Duration::millis(500);

  DemandDesk(Tables& t, const VideoDirector& director) : t_(t), director_(director) {}

  /// It sends everything at first.
  void add_source(core::Instant now, Source& source);
  /// Views or speakers changed: the next timeout reviews.
  void hurry() { is_hurried_ = true; }
  /// At each tick.
  void handle_timeout(core::Instant now);
  /// How many layers their senders were asked to pause.
  size_t resting() const;

 private:
  void note_wanted(core::Instant now);
  void want(core::Instant now, LayerRef up_to);
  void settle(core::Instant now, Source& source);

  Tables& t_;
  const VideoDirector& director_;
  core::Instant next_review_;
  bool is_hurried_ = true;
};

}  // namespace huitang::sfu
