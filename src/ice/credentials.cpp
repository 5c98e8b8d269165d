#include "ice/credentials.h"

#include <algorithm>

#include "stun/message.h"

namespace huitang::ice {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static_assert(kAlphabet.size() == 64);

std::string make_text(core::Random& random, size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = kAlphabet[random.below(64)];
  return text;
}

bool is_ice_text(std::string_view text, size_t min_size) {
  return text.size() >= min_size && text.size() <= 256 &&
         text.find_first_not_of(kAlphabet) == std::string_view::npos;
}

}  // namespace

Credentials make_credentials(core::Random& random) { return {make_text(random, 12), make_text(random, 24)}; }

bool is_well_formed(const Credentials& credentials) {
  return is_ice_text(credentials.ufrag, 4) && is_ice_text(credentials.password, 22);
}

std::optional<std::string_view> peek_username_fragment(core::Bytes datagram) {
  const auto view = stun::MessageView::parse(datagram);
  if (!view || view->message_class != stun::MessageClass::Request || view->method != stun::kBindingMethod ||
      !view->username) {
    return std::nullopt;
  }
  const size_t colon = view->username->find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return view->username->substr(0, colon);
}

}  // namespace huitang::ice
