#include "sfu/talker_selector.h"

namespace huitang::sfu {

uint32_t TalkerSelector::add(uint32_t source) {
  members_.push_back({});
  members_.back().source = source;
  return static_cast<uint32_t>(members_.size() - 1);
}

std::optional<uint32_t> TalkerSelector::remove(uint32_t position) {
  talkers_ -= members_[position].is_talker;
  members_[position] = members_.back();
  members_.pop_back();
  weakest_ = kNobody;
  if (position == members_.size()) return std::nullopt;
  return members_[position].source;
}

bool TalkerSelector::mute(uint32_t position) {
  Member& m = members_[position];
  m.meter.reset();
  if (!m.is_talker) return false;
  m.is_talker = false;
  --talkers_;
  weakest_ = kNobody;
  return true;
}

bool TalkerSelector::handle_level(core::Instant now, uint32_t position, uint8_t level) {
  Member& m = members_[position];
  m.meter.handle_level(now, level);
  const bool audible = 127.0F - static_cast<float>(level) >= LevelMeter::kAudible;
  if (m.is_talker) {
    if (audible) m.last_audible = now;
    return false;
  }
  if (!audible || m.is_always_heard) return false;
  if (talkers_ < top_) {
    admit(now, position);
    return true;
  }
  if (!may_displace(now, m)) return false;
  members_[weakest_].is_talker = false;
  --talkers_;
  admit(now, position);
  return true;
}

bool TalkerSelector::may_displace(core::Instant now, const Member& newcomer) const {
  if (weakest_ == kNobody) return false;
  const Member& victim = members_[weakest_];
  const float loudness = victim.meter.loudness(now);
  if (now - victim.since < kMinStay && loudness >= LevelMeter::kSpeaking) return false;
  return newcomer.meter.loudness(now) >= loudness + kDisplaceBy;
}

void TalkerSelector::admit(core::Instant now, uint32_t position) {
  Member& m = members_[position];
  m.is_talker = true;
  m.since = m.last_audible = now;
  ++talkers_;
  find_weakest(now);
}

bool TalkerSelector::handle_timeout(core::Instant now) {
  bool changed = false;
  for (Member& m : members_) {
    if (!m.is_talker || (now - m.last_audible < kSilentStay && !m.is_always_heard)) continue;
    m.is_talker = false;
    --talkers_;
    // Who is always heard stays heard; only his place among the others is given up.
    changed |= !m.is_always_heard;
  }
  // A lowered top: the weakest go.
  find_weakest(now);
  while (talkers_ > top_) {
    members_[weakest_].is_talker = false;
    --talkers_;
    changed = true;
    find_weakest(now);
  }
  return changed;
}

void TalkerSelector::find_weakest(core::Instant now) {
  weakest_ = kNobody;
  float least = 0;
  for (uint32_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].is_talker) continue;
    const float loudness = members_[i].meter.loudness(now);
    if (weakest_ == kNobody || loudness < least) {
      weakest_ = i;
      least = loudness;
    }
  }
}

TalkerSelector::State TalkerSelector::export_state() const {
  State s{.members = {}, .top = top_, .weakest = weakest_};
  s.members.reserve(members_.size());
  for (const Member& m : members_) {
    s.members.push_back({m.source, m.meter.export_state(), m.is_talker, m.since, m.last_audible});
  }
  return s;
}

bool TalkerSelector::restore(const State& s) {
  members_.clear();
  talkers_ = 0;
  for (const MemberState& from : s.members) {
    Member& m = members_.emplace_back();
    m.source = from.source;
    m.meter.restore(from.meter);
    m.is_talker = from.is_talker;
    m.since = from.since;
    m.last_audible = from.last_audible;
    talkers_ += m.is_talker;
  }
  set_top(s.top);
  weakest_ = s.weakest;
  return is_consistent();
}

bool TalkerSelector::is_consistent() const {
  uint32_t n = 0;
  for (const Member& m : members_) n += m.is_talker;
  return n == talkers_ &&
         (weakest_ == kNobody || (weakest_ < members_.size() && members_[weakest_].is_talker));
}

}  // namespace huitang::sfu
