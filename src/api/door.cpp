#include "api/door.h"

#include "api/token_bucket.h"

namespace huitang::api {

std::optional<PlaceId> Door::oldest_of(const std::list<PlaceId>& line, const core::IpAddress* network) const {
  for (const PlaceId id : line)
    if (network == nullptr || places_.at(id).network == *network) return id;
  return std::nullopt;
}

std::optional<Door::Admission> Door::admit(core::Instant now, const core::IpAddress& from) {
  const core::IpAddress network = network_of(from);
  Admission admission;
  const auto here = by_network_.find({network, 0});
  if (here != by_network_.end() && here->second >= limits_.per_address) {
    admission.to_close = oldest_of(strangers_, &network);
    if (!admission.to_close) return std::nullopt;
  } else if (places_.size() >= limits_.connections || strangers_.size() >= most_strangers()) {
    admission.to_close = oldest_of(strangers_, nullptr);
    if (!admission.to_close) admission.to_close = oldest_of(guests_, nullptr);
    if (!admission.to_close) return std::nullopt;
  }
  if (admission.to_close) {
    Place& leaving = places_.at(*admission.to_close);
    step_out_of_line(leaving);
    leaving.is_closing = true;
  }
  admission.place = PlaceId(next_++);
  Place& place = places_[admission.place];
  place.network = network;
  place.deadline = now + limits_.stranger_time;
  place.in_line = strangers_.insert(strangers_.end(), admission.place);
  ++by_network_[{network, 0}];
  return admission;
}

void Door::step_out_of_line(Place& place) {
  if (place.is_closing) return;
  if (place.standing == Standing::Stranger) strangers_.erase(place.in_line);
  if (place.standing == Standing::Guest) guests_.erase(place.in_line);
}

void Door::set_standing(PlaceId id, Standing standing) {
  const auto at = places_.find(id);
  if (at == places_.end() || at->second.is_closing || standing == Standing::Stranger) return;
  Place& place = at->second;
  if (place.standing == standing) return;
  step_out_of_line(place);
  place.standing = standing;
  if (standing == Standing::Guest) place.in_line = guests_.insert(guests_.end(), id);
}

void Door::set_deadline(PlaceId id, core::Instant deadline) {
  const auto at = places_.find(id);
  if (at == places_.end() || at->second.is_closing || at->second.standing != Standing::Stranger) return;
  at->second.deadline = deadline;
  strangers_.splice(strangers_.end(), strangers_, at->second.in_line);
}

void Door::leave(PlaceId id) {
  const auto at = places_.find(id);
  if (at == places_.end()) return;
  step_out_of_line(at->second);
  const auto here = by_network_.find({at->second.network, 0});
  if (--here->second == 0) by_network_.erase(here);
  places_.erase(at);
}

std::vector<PlaceId> Door::take_overdue(core::Instant now) {
  std::vector<PlaceId> overdue;
  for (const PlaceId id : strangers_)
    if (places_.at(id).deadline <= now) overdue.push_back(id);
  for (const PlaceId id : overdue) {
    Place& place = places_.at(id);
    step_out_of_line(place);
    place.is_closing = true;
  }
  return overdue;
}

bool Door::is_consistent() const {
  size_t strangers = 0, guests = 0;
  for (const auto& [id, place] : places_) {
    if (place.is_closing) continue;
    strangers += place.standing == Standing::Stranger ? 1 : 0;
    guests += place.standing == Standing::Guest ? 1 : 0;
  }
  size_t counted = 0;
  for (const auto& [network, here] : by_network_) counted += here;
  return strangers == strangers_.size() && guests == guests_.size() && counted == places_.size();
}

}  // namespace huitang::api
