#include "bot/report_json.h"

#include <cstdio>

namespace huitang::bot {

namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

/// One flat JSON object, field by field.
class Object {
 public:
  Object(core::Instant now, const char* event, const std::string& bot) {
    text("event", event).text("bot", bot).number("at_ms", now.to_nanos() / 1'000'000);
  }
  Object& text(const char* key, std::string_view value) {
    begin(key);
    out_ += '"';
    for (const char c : value) append(c);
    out_ += '"';
    return *this;
  }
  Object& number(const char* key, int64_t value) { return raw(key, std::to_string(value)); }
  Object& flag(const char* key, bool value) { return raw(key, value ? "true" : "false"); }
  Object& raw(const char* key, std::string_view json) {
    begin(key);
    out_ += json;
    return *this;
  }
  std::string finish() { return out_ + "}"; }

 private:
  void begin(const char* key) {
    out_ += out_.size() > 1 ? ",\"" : "\"";
    out_ += key;
    out_ += "\":";
  }
  void append(char c) {
    if (c == '"' || c == '\\') out_ += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) {
      out_ += c;
      return;
    }
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
    out_ += escaped;
  }
  std::string out_ = "{";
};

const char* name_of(sdp::LineUse use) {
  switch (use) {
    case sdp::LineUse::Microphone: return "microphone";
    case sdp::LineUse::Camera: return "camera";
    case sdp::LineUse::Screen: return "screen";
    case sdp::LineUse::ScreenAudio: return "screen_audio";
    case sdp::LineUse::AudioSlot: return "audio";
    case sdp::LineUse::VideoSlot: return "video";
    case sdp::LineUse::ShareSlot: return "share";
  }
  return "?";
}

Object& add_slot(Object& o, SlotId slot, uint32_t source) {
  return o.text("slot", name_of(slot.use)).number("index", slot.index).number("source", source);
}

std::string list_of(const std::vector<double>& values) {
  std::string s = "[";
  for (const double v : values) {
    if (s.size() > 1) s += ',';
    s += std::to_string(static_cast<int64_t>(v));
  }
  return s + "]";
}

std::string slot_to_json(const SlotSnapshot& s) {
  std::string out = "{\"slot\":\"";
  out += name_of(s.slot.use);
  const auto add = [&](const char* key, int64_t value) {
    out += std::string(",\"") + key + "\":" + std::to_string(value);
  };
  out += '"';
  add("index", s.slot.index);
  add("source", s.source);
  add("packets", static_cast<int64_t>(s.packets));
  add("bytes", static_cast<int64_t>(s.bytes));
  add("lost", s.lost);
  add("recovered", static_cast<int64_t>(s.recovered));
  add("source_changes", s.source_changes);
  add("restarts", s.restarts);
  add("timestamp_faults", s.timestamp_faults);
  add("picture_id_faults", s.picture_id_faults);
  add("frames", static_cast<int64_t>(s.frames));
  add("undecodable", static_cast<int64_t>(s.undecodable));
  add("key_frame_requests", static_cast<int64_t>(s.key_frame_requests));
  if (s.last_switch_to_picture) add("last_switch_to_picture_ms", s.last_switch_to_picture->to_millis());
  return out + "}";
}

}  // namespace

std::string report_to_json(core::Instant now, const std::string& bot, const Report& report) {
  return std::visit(
      Overloaded{
          [&](const JoinedReport& r) {
            return Object(now, "joined", bot).text("participant_id", r.participant_id).finish();
          },
          [&](const MediaReport& r) {
            return Object(now, "media", bot)
                .flag("connected", r.is_connected)
                .text("detail", r.detail)
                .finish();
          },
          [&](const MarkReport& r) {
            Object o(r.seen.at, "mark", bot);
            add_slot(o, r.seen.slot, r.seen.source).text("participant", r.name).number("mark", r.seen.mark);
            o.flag("lamp", r.seen.is_lamp_lit);
            return o.number("width", r.seen.size.width).number("height", r.seen.size.height).finish();
          },
          [&](const ToneReport& r) {
            Object o(r.heard.at, "tones", bot);
            add_slot(o, r.heard.slot, r.heard.source).text("participant", r.name);
            return o.raw("hertz", list_of(r.heard.hertz)).finish();
          },
          [&](const SourceReport& r) {
            Object o(r.change.at, "source", bot);
            return add_slot(o, r.change.slot, r.change.source).text("participant", r.name).finish();
          },
          [&](const RefusedReport& r) {
            return Object(now, "refused", bot)
                .text("code", v1::RefusalCode_Name(r.code))
                .text("detail", r.detail)
                .finish();
          },
          [&](const LeftReport& r) {
            return Object(now, "left", bot).text("reason", v1::LeaveReason_Name(r.reason)).finish();
          }},
      report);
}

std::string snapshot_to_json(core::Instant now, const std::string& bot, const BotSnapshot& s) {
  std::string slots = "[";
  for (const SlotSnapshot& slot : s.slots) {
    if (slot.packets == 0) continue;
    if (slots.size() > 1) slots += ',';
    slots += slot_to_json(slot);
  }
  return Object(now, "statistics", bot)
      .flag("connected", s.transport == TransportState::Connected)
      .number("packets_in", static_cast<int64_t>(s.packets_in))
      .number("packets_out", static_cast<int64_t>(s.packets_out))
      .number("refused_in", static_cast<int64_t>(s.refused_in))
      .number("dropped_out", static_cast<int64_t>(s.dropped_out))
      .number("nacks_in", static_cast<int64_t>(s.nacks_in))
      .number("repairs_sent", static_cast<int64_t>(s.repairs_sent))
      .number("key_frame_requests_in", static_cast<int64_t>(s.key_frame_requests_in))
      .number("key_frames_sent", static_cast<int64_t>(s.key_frames_sent))
      .number("active_layers", static_cast<int64_t>(s.active_layers))
      .number("round_trip_us", s.round_trip.to_micros())
      .raw("slots", slots + "]")
      .finish();
}

}  // namespace huitang::bot
