#include "rtp/extension.h"

#include <algorithm>

namespace huitang::rtp {

namespace {

constexpr std::array<std::string_view, kExtensionKinds> kUris{
    kMidUri, kRidUri, kRepairedRidUri, kAudioLevelUri, kTransportCcUri, kAbsSendTimeUri, kPlayoutDelayUri};

constexpr core::Duration kPlayoutDelayUnit = core::Duration::millis(10);

std::optional<core::Bytes> read_sized(const PacketView& packet, uint8_t id, size_t size) {
  const auto value = read_extension(packet, id);
  if (!value || value->size() != size) return std::nullopt;
  return value;
}

// SDES items of RFC 7941 are text; one with control characters, or none at all, is nobody's.
std::optional<std::string_view> read_token(const PacketView& packet, uint8_t id) {
  const auto value = read_extension(packet, id);
  if (!value || value->empty()) return std::nullopt;
  const auto text = core::as_text(*value);
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return printable ? std::optional(text) : std::nullopt;
}

uint32_t to_playout_units(core::Duration d) {
  return static_cast<uint32_t>(std::clamp<int64_t>(d / kPlayoutDelayUnit, 0, 0xfff));
}

}  // namespace

std::string_view uri_of(ExtensionKind kind) { return kUris[static_cast<size_t>(kind)]; }

std::optional<ExtensionKind> extension_kind_of(std::string_view uri) {
  const auto* const at = std::find(kUris.begin(), kUris.end(), uri);
  if (at == kUris.end()) return std::nullopt;
  return static_cast<ExtensionKind>(at - kUris.begin());
}

uint8_t& ExtensionIds::of(ExtensionKind kind) {
  switch (kind) {
    case ExtensionKind::Mid: return mid;
    case ExtensionKind::Rid: return rid;
    case ExtensionKind::RepairedRid: return repaired_rid;
    case ExtensionKind::AudioLevel: return audio_level;
    case ExtensionKind::TransportCc: return transport_cc;
    case ExtensionKind::AbsSendTime: return abs_send_time;
    case ExtensionKind::PlayoutDelay: return playout_delay;
  }
  return mid;
}

ExtensionForm ExtensionIds::form() const {
  const uint8_t highest =
      std::max({mid, rid, repaired_rid, audio_level, transport_cc, abs_send_time, playout_delay});
  return highest > 14 ? ExtensionForm::TwoByte : ExtensionForm::OneByte;
}

std::optional<std::string_view> read_mid(const PacketView& packet, const ExtensionIds& ids) {
  return read_token(packet, ids.mid);
}

std::optional<std::string_view> read_rid(const PacketView& packet, const ExtensionIds& ids) {
  return read_token(packet, ids.rid);
}

std::optional<std::string_view> read_repaired_rid(const PacketView& packet, const ExtensionIds& ids) {
  return read_token(packet, ids.repaired_rid);
}

std::optional<AudioLevel> read_audio_level(const PacketView& packet, const ExtensionIds& ids) {
  const auto value = read_extension(packet, ids.audio_level);
  // The two-byte form may carry a second byte of padding (RFC 6464 section 3).
  if (!value || value->empty() || value->size() > 2) return std::nullopt;
  return AudioLevel{.voice = ((*value)[0] & 0x80) != 0, .level = static_cast<uint8_t>((*value)[0] & 0x7f)};
}

std::optional<uint16_t> read_transport_cc(const PacketView& packet, const ExtensionIds& ids) {
  const auto value = read_extension(packet, ids.transport_cc);
  // Version 02 of the extension appends a feedback request that we do not follow.
  if (!value || value->size() < 2) return std::nullopt;
  return core::load_u16(value->data());
}

std::optional<uint32_t> read_abs_send_time(const PacketView& packet, const ExtensionIds& ids) {
  const auto value = read_sized(packet, ids.abs_send_time, 3);
  return value ? std::optional(core::load_u24(value->data())) : std::nullopt;
}

std::optional<PlayoutDelay> read_playout_delay(const PacketView& packet, const ExtensionIds& ids) {
  const auto value = read_sized(packet, ids.playout_delay, 3);
  if (!value) return std::nullopt;
  const uint32_t both = core::load_u24(value->data());
  const PlayoutDelay d{.min = kPlayoutDelayUnit * (both >> 12), .max = kPlayoutDelayUnit * (both & 0xfff)};
  return d.min <= d.max ? std::optional(d) : std::nullopt;
}

void write_mid(HeaderWriter& w, const ExtensionIds& ids, std::string_view mid) {
  w.add_extension(ids.mid, core::as_bytes(mid));
}

void write_rid(HeaderWriter& w, const ExtensionIds& ids, std::string_view rid) {
  w.add_extension(ids.rid, core::as_bytes(rid));
}

void write_repaired_rid(HeaderWriter& w, const ExtensionIds& ids, std::string_view rid) {
  w.add_extension(ids.repaired_rid, core::as_bytes(rid));
}

void write_audio_level(HeaderWriter& w, const ExtensionIds& ids, AudioLevel level) {
  const uint8_t b = static_cast<uint8_t>((level.voice ? 0x80 : 0) | (level.level & 0x7f));
  w.add_extension(ids.audio_level, {&b, 1});
}

void write_transport_cc(HeaderWriter& w, const ExtensionIds& ids, uint16_t number) {
  uint8_t b[2];
  core::store_u16(b, number);
  w.add_extension(ids.transport_cc, b);
}

void write_abs_send_time(HeaderWriter& w, const ExtensionIds& ids, uint32_t value) {
  uint8_t b[3];
  core::store_u24(b, value & 0xffffff);
  w.add_extension(ids.abs_send_time, b);
}

void write_playout_delay(HeaderWriter& w, const ExtensionIds& ids, PlayoutDelay delay) {
  uint8_t b[3];
  core::store_u24(b, to_playout_units(delay.min) << 12 | to_playout_units(delay.max));
  w.add_extension(ids.playout_delay, b);
}

}  // namespace huitang::rtp
