// Reading of a description (RFC 8866 section 5), line by line:
//
//   v=0                     session part, in this order; lines in [] may be absent
//   o=...                     [i= u= e= p=] [c=] [b=]... t=... [r=]... [z=] [k=] [a=]...
//   s=...
//   m=KIND PORT[/N] PROTO FMT...     then for each media section [i=] [c=]... [b=]... [k=] [a=]...
//
// Lines of letters that JSEP gives no meaning to are dropped; letters that RFC 8866 does not know are
// refused.
#include <utility>

#include "sdp/attributes.h"
#include "sdp/limits.h"
#include "sdp/session_description.h"
#include "sdp/text.h"

namespace huitang::sdp {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  core::Result<SessionDescription, SdpError> run() {
    if (text_.size() > kMaxBytes) return fail(too_large("the description is longer than 256 kB"));
    while (!text_.empty()) {
      const std::string_view line = take_line();
      if (++number_ > kMaxLines) return fail(too_large("too many lines"));
      const Complaint wrong = read_line(line);
      if (wrong) return fail(wrong);
    }
    if (place_ < Place::Timed) return fail(malformed("the session part is not complete (v= o= s= t=)"));
    const Complaint wrong = check_mids();
    if (wrong) return fail(wrong);
    return std::move(session_);
  }

 private:
  // How far the session part has come; `Media` = at least one m= was seen.
  enum class Place { Start, Versioned, Owned, Named, Timed, Media };

  core::Unexpected<SdpError> fail(const Complaint& wrong) const {
    return core::err(SdpError{wrong.code, number_, wrong.text});
  }

  std::string_view take_line() {
    const size_t end = text_.find('\n');
    std::string_view line = text_.substr(0, end);
    text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  Complaint read_line(std::string_view line) {
    if (line.size() > kMaxLineBytes) return too_large("the line is longer than 4096 bytes");
    if (line.size() < 2 || line[1] != '=') return malformed("the line is not LETTER=VALUE");
    for (const char c : line)
      if (c == '\0' || c == '\r') return malformed("the line holds a NUL or a CR");
    const std::string_view value = line.substr(2);
    switch (line[0]) {
      case 'v': return read_version(value);
      case 'o': return read_origin(value);
      case 's': return read_name(value);
      case 't': return read_timing(value);
      case 'c': return read_connection(value);
      case 'b': return read_bandwidth(value);
      case 'a': return read_attribute(value);
      case 'm': return read_media(value);
      case 'i':
      case 'u':
      case 'e':
      case 'p':
      case 'r':
      case 'z':
      case 'k': return place_ < Place::Named ? malformed("the line stands before s=") : Complaint{};
      default: return malformed("RFC 8866 knows no line of this letter");
    }
  }

  Complaint advance(Place from, Place to, const char* complaint) {
    if (place_ != from) return malformed(complaint);
    place_ = to;
    return {};
  }

  Complaint read_version(std::string_view value) {
    if (value != "0") return {SdpErrorCode::Unsupported, "v= is not 0"};
    return advance(Place::Start, Place::Versioned, "v= is not the first line");
  }

  // o=USERNAME SESSION-ID VERSION NETTYPE ADDRTYPE ADDRESS
  Complaint read_origin(std::string_view value) {
    Words words(value);
    session_.origin.username = words.next();
    const auto id = parse_number<uint64_t>(words.next());
    const auto version = parse_number<uint64_t>(words.next());
    session_.origin.address = words.rest();
    if (!id || !version || session_.origin.address.empty())
      return malformed("o= is not USERNAME ID VERSION ADDRESS with numbers below 2^64");
    session_.origin.session_id = *id;
    session_.origin.session_version = *version;
    return advance(Place::Versioned, Place::Owned, "o= does not follow v=");
  }

  Complaint read_name(std::string_view value) {
    session_.name = value;
    return advance(Place::Owned, Place::Named, "s= does not follow o=");
  }

  Complaint read_timing(std::string_view value) {
    if (place_ != Place::Named && place_ != Place::Timed) return malformed("t= does not belong here");
    if (session_.timing.size() >= 16) return too_large("too many t=");
    session_.timing.emplace_back(value);
    place_ = Place::Timed;
    return {};
  }

  Complaint read_connection(std::string_view value) {
    if (value.empty()) return malformed("c= says nothing");
    if (place_ == Place::Media) return session_.media.back().connection = value, Complaint{};
    if (place_ < Place::Named) return malformed("c= stands before s=");
    session_.connection = value;
    return {};
  }

  Complaint read_bandwidth(std::string_view value) {
    if (place_ < Place::Named) return malformed("b= stands before s=");
    auto& list = place_ == Place::Media ? session_.media.back().bandwidth : session_.bandwidth;
    if (list.size() >= 16) return too_large("too many b=");
    if (!cut(value, ':').second) return malformed("b= is not TYPE:VALUE");
    list.emplace_back(value);
    return {};
  }

  Complaint read_attribute(std::string_view text) {
    if (place_ < Place::Named) return malformed("a= stands before s=");
    if (++attributes_ > kMaxAttributesPerSection) return too_large("too many attributes in one section");
    const auto [name, value] = cut(text, ':');
    return place_ == Place::Media ? read_media_attribute(name, value, session_.media.back())
                                  : read_session_attribute(name, value, session_);
  }

  Complaint read_media(std::string_view value) {
    if (place_ < Place::Timed) return malformed("m= stands before t=");
    if (session_.media.size() >= kMaxMediaSections) return too_large("more than 64 media sections");
    Words words(value);
    MediaDescription media;
    media.line = {number_};
    media.kind_name = words.next();
    media.kind = media.kind_name == "audio"         ? MediaKind::Audio
                 : media.kind_name == "video"       ? MediaKind::Video
                 : media.kind_name == "application" ? MediaKind::Application
                                                    : MediaKind::Other;
    const auto port = parse_number<uint16_t>(cut(words.next(), '/').first);
    media.protocol = words.next();
    if (!is_token(media.kind_name) || !port || media.protocol.empty() || words.is_done())
      return malformed("m= is not KIND PORT PROTOCOL FORMAT...");
    media.port = *port;
    while (!words.is_done()) {
      if (media.formats.size() >= kMaxFormats) return too_large("m= names more than 128 formats");
      media.formats.emplace_back(words.next());
    }
    media.connection = session_.connection;
    session_.media.push_back(std::move(media));
    place_ = Place::Media;
    attributes_ = 0;
    return {};
  }

  Complaint check_mids() {
    for (size_t i = 0; i < session_.media.size(); ++i)
      for (size_t k = 0; k < i; ++k)
        if (!session_.media[i].mid.empty() && session_.media[i].mid == session_.media[k].mid) {
          number_ = session_.media[i].line.number;
          return malformed("two media sections have one a=mid");
        }
    return {};
  }

  std::string_view text_;
  size_t number_ = 0;
  size_t attributes_ = 0;  ///< in the section being read
  Place place_ = Place::Start;
  SessionDescription session_;
};

}  // namespace

core::Result<SessionDescription, SdpError> parse_session_description(std::string_view text) {
  return Parser(text).run();
}

// candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE [raddr A] [rport P] [EXTENSION
// VALUE]...
core::Result<Candidate, SdpError> parse_candidate(std::string_view text) {
  const auto fail = [](const char* why) { return core::err(SdpError{SdpErrorCode::Malformed, 0, why}); };
  constexpr std::string_view prefix = "candidate:";
  if (!text.starts_with(prefix)) return fail("a candidate does not begin with candidate:");
  if (text.size() > kMaxLineBytes) return fail("a candidate is longer than 4096 bytes");
  Words words(text.substr(prefix.size()));
  Candidate candidate;
  candidate.foundation = words.next();
  const auto component = parse_number<uint16_t>(words.next());
  candidate.transport = to_lower(words.next());
  const auto priority = parse_number<uint32_t>(words.next());
  candidate.address = words.next();
  const auto port = parse_number<uint16_t>(words.next());
  const std::string_view typ = words.next();
  candidate.type = words.next();
  if (candidate.foundation.size() > 32 || !is_ice_text(candidate.foundation))
    return fail("a candidate without a foundation of 1 to 32 ice-chars");
  if (!component || *component == 0 || *component > 256)
    return fail("a candidate without a component of 1 to 256");
  if (!is_token(candidate.transport) || !priority || candidate.address.empty() || !port)
    return fail("a candidate without transport, priority, address or port");
  if (typ != "typ" || !is_token(candidate.type)) return fail("a candidate without its type");
  candidate.component = *component;
  candidate.priority = *priority;
  candidate.port = *port;
  if (words.rest().starts_with("raddr ")) {
    words.next();
    candidate.related_address = words.next();
    if (candidate.related_address.empty()) return fail("a candidate with an empty raddr");
  }
  if (words.rest().starts_with("rport ")) {
    words.next();
    candidate.related_port = parse_number<uint16_t>(words.next());
    if (!candidate.related_port) return fail("a candidate with a bad rport");
  }
  candidate.extensions = words.rest();
  return candidate;
}

}  // namespace huitang::sdp
