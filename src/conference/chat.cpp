// Chat: to all, or to one.
#include "conference/operation.h"
#include "conference/text.h"

namespace huitang::conference {

Verdict decide_send_chat(Turn& turn, const SendChat& send) {
  const auto chars = count_chars(send.text);
  if (!chars || !is_printable(send.text, true) || trimmed(send.text).empty())
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "text empty or with characters not allowed");
  if (*chars > turn.info().settings.limits.chat_chars)
    return refuse(v1::REFUSAL_CODE_LIMIT_REACHED, "text too long");
  const Participant& own = *turn.actor_entity();
  if (send.to == own.id) return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "a message to oneself");
  if (send.to) {
    if (Verdict listed = require_listed(turn, *send.to); !listed) return listed;
  }
  ChatMessage message;
  message.from = own.id;
  message.from_name = own.name;
  message.to = send.to;
  message.text = send.text;
  turn.say(std::move(message));
  return {};
}

}  // namespace huitang::conference
