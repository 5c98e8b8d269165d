#include "conference/turn.h"

#include <algorithm>

#include "core/check.h"

namespace huitang::conference {

bool Turn::has_chair_rights() const {
  if (const Participant* p = actor_entity()) return p->has_chair_rights();
  return !actor_.participant && actor_.entrance != v1::ENTRANCE_PAGE;
}

const Participant* Turn::find(ParticipantId id) const {
  const bool is_gone = std::any_of(gone_.begin(), gone_.end(), [&](const Gone& g) { return g.id == id; });
  if (is_gone) return nullptr;
  if (const auto it = edited_.find(id); it != edited_.end()) return &it->second;
  const auto it = before_.participants.find(id);
  return it != before_.participants.end() ? &it->second : nullptr;
}

std::vector<ParticipantId> Turn::listed() const {
  std::vector<ParticipantId> ids;
  for (const auto& [id, _] : before_.participants)
    if (find(id)) ids.push_back(id);
  for (const auto& [id, _] : edited_)
    if (!before_.participants.contains(id)) ids.push_back(id);
  return ids;
}

const Participant* Turn::presenter() const {
  for (const ParticipantId id : listed())
    if (const Participant* p = find(id); p->is_sharing()) return p;
  return nullptr;
}

const Participant* Turn::chair() const {
  for (const ParticipantId id : listed())
    if (const Participant* p = find(id); p->role == v1::ROLE_CHAIR) return p;
  return nullptr;
}

Participant& Turn::edit(ParticipantId id) {
  const Participant* known = find(id);
  HUITANG_CHECK(known);
  return edited_.try_emplace(id, *known).first->second;
}

Info& Turn::edit_info() {
  if (!info_) info_ = before_.info;
  return *info_;
}

ParticipantId Turn::add(Participant p) {
  p.id = before_.next_participant;
  const ParticipantId id = p.id;
  edited_.emplace(id, std::move(p));
  return id;
}

void Turn::remove(ParticipantId id, v1::LeaveReason reason) {
  HUITANG_CHECK(find(id));
  gone_.push_back({id, reason});
  edited_.erase(id);
}

void Turn::say(ChatMessage message) {
  message.id = ChatId(before_.next_chat.value() + chat_.size());
  message.at = now_;
  chat_.push_back(std::move(message));
}

// `empty_since` says since when nobody is listed in a conference that goes on.
void Turn::note_emptiness() {
  const bool is_empty = listed().empty() && !info().ended;
  if (is_empty == info().empty_since.has_value()) return;
  edit_info().empty_since = is_empty ? std::optional(now_) : std::nullopt;
}

// The newcomer's name, or the one the actor had before this turn, whether or not he is still listed after it.
std::string Turn::name_of_author() const {
  const auto known =
      actor_.participant ? before_.participants.find(*actor_.participant) : before_.participants.end();
  if (known != before_.participants.end()) return known->second.name;
  const Participant* newcomer = joined_ ? find(*joined_) : nullptr;
  return newcomer ? newcomer->name : std::string();
}

std::optional<Change> Turn::take_change(const std::string& command_id) {
  note_emptiness();
  Change change;
  std::string by_name = name_of_author();
  if (info_ && *info_ != before_.info) change.info = std::move(info_);
  for (auto& [id, p] : edited_) {
    const auto known = before_.participants.find(id);
    if (known == before_.participants.end() || known->second != p)
      change.participants.push_back(std::move(p));
  }
  change.gone = std::move(gone_);
  change.chat = std::move(chat_);
  change.happening = happening_;
  const bool is_nothing = !change.info && change.participants.empty() && change.gone.empty() &&
                          change.chat.empty() && change.happening.what == Happened::Nothing;
  if (is_nothing) return std::nullopt;
  change.number = before_.last_change + 1;
  change.by = joined_ ? joined_ : actor_.participant;
  change.by_name = std::move(by_name);
  change.entrance = actor_.entrance;
  change.at = now_;
  change.command_id = command_id;
  return change;
}

}  // namespace huitang::conference
