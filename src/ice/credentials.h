// ICE credentials (RFC 8839 section 5.4) and the user name of a check made from them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/random.h"

namespace huitang::ice {

struct Credentials {
  std::string ufrag;
  std::string password;
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

/// A fragment of 12 characters (71 bits, so that a node never gives one twice) and a password of 24 (142
/// bits; RFC 8445 section 5.3 asks for 24 and 128).
Credentials make_credentials(core::Random& random);

/// 4..256 and 22..256 characters of the ICE alphabet (RFC 8839 section 5.4).
bool is_well_formed(const Credentials& credentials);

/// The left half of the USERNAME of a Binding request, which is the fragment of whom it is for. Absent for
/// anything else. Points into the datagram; allocates nothing; proves nothing: the request is not
/// authenticated yet.
std::optional<std::string_view> peek_username_fragment(core::Bytes datagram);

}  // namespace huitang::ice
