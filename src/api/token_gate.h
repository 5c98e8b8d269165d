// Where tokens are judged and accounted for: each check and each refusal is counted by audience, and refusals
// stand in the log with their reason – at most kLinesPerSecond of them, for whoever sends bad tokens must not
// fill the disk; the counters miss none.
#pragma once

#include <optional>
#include <string_view>

#include "api/metrics.h"
#include "api/token.h"
#include "api/token_bucket.h"
#include "core/address.h"

namespace huitang::api {

/// When and from where a token came.
struct TokenContext {
  core::Instant now;
  core::WallTime wall;
  core::IpAddress from;
};

class TokenGate {
 public:
  static constexpr double kLinesPerSecond = 5;

  TokenGate(const TokenSigner& signer, Metrics& metrics) : signer_(signer), metrics_(metrics) {}

  /// The claims of a good token of this audience. Callers that find them good for something else only say so
  /// by refuse().
  std::optional<Claims> verify(const TokenContext& context, Audience audience, std::string_view text);
  /// `why` is for the log alone; whoever sent the token is not told.
  void refuse(const TokenContext& context, Audience audience, std::string_view why);

 private:
  const TokenSigner& signer_;
  Metrics& metrics_;
  TokenBucket lines_{{kLinesPerSecond, 50}};
  uint64_t unsaid_ = 0;  ///< refusals without a line since the last one
};

}  // namespace huitang::api
