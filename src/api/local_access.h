// How the administrator's commands on the box itself (`huitang doctor`, `huitang admin`) speak with the serve that
// runs there: a token in the data folder, which only the folder's owner and root can read, made anew at each start
// of serve; and HTTPS to our own port, where exactly our own certificate must be shown before the token is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/random.h"
#include "core/result.h"
#include "core/time.h"

namespace huitang::api {

/// Writes DATA/local.token and gives what stands in it.
core::Result<std::string, core::Failure> make_local_token(const std::string& data, core::Random& random);
/// Absent when there is none or this user may not read it.
std::optional<std::string> read_local_token(const std::string& data);

struct LocalTarget {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string certificate_der;  ///< that must be shown
  std::string token;            ///< may be empty: asked as anybody
};

enum class LocalTrouble : uint8_t {
  NoAnswer,          ///< nobody listens, or nothing came back in time
  OtherCertificate,  ///< somebody else, or a certificate that was changed since
  Broken,            ///< an answer that is no HTTP
};

struct LocalReply {
  unsigned status = 0;
  std::string body;
};

/// One request; blocks for at most `patience`. A body makes it a POST of JSON.
core::Result<LocalReply, LocalTrouble> ask_local(const LocalTarget& target, const std::string& path,
                                                 const std::string& body, core::Duration patience);

}  // namespace huitang::api
