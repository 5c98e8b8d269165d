#include "api/wire.h"

#include <gtest/gtest.h>

#include "api/media_plan.h"
#include "huitang/v1/media.pb.h"

namespace huitang::api {
namespace {

TEST(Wire, takes_json_with_fields_of_a_later_version) {
  v1::ClientMessage message;
  ASSERT_TRUE(
      parse_client_message(R"({"id":3,"ping":{"at":"9","later":{"deep":[1,2]}},"other":true})", message));
  EXPECT_EQ(message.ping().at(), 9);
}

TEST(Wire, refuses_what_is_too_deep_before_parsing_it) {
  v1::ClientMessage message;
  EXPECT_FALSE(parse_client_message(std::string(100'000, '['), message));
  EXPECT_FALSE(parse_client_message(R"({"x":)" + std::string(30, '[') + std::string(30, ']') + "}", message));
  EXPECT_TRUE(is_shallow(R"({"text":"[[[[[[[[[[\"[[[["})", 1));
}

TEST(Wire, refuses_what_is_no_message) {
  v1::ClientMessage message;
  for (const char* text :
       {"", "null", "[]", "{", "{\"id\":-1}", "{\"id\":\"x\"}", "{\"hello\":5}", "\xff\xfe"})
    EXPECT_FALSE(parse_client_message(text, message)) << text;
}

TEST(Wire, translates_every_command_of_the_schema) {
  const google::protobuf::OneofDescriptor* op = v1::Command::descriptor()->FindOneofByName("op");
  for (int i = 0; i < op->field_count(); ++i) {
    v1::Command command;
    command.GetReflection()->MutableMessage(&command, op->field(i));
    EXPECT_TRUE(from_wire(command)) << op->field(i)->name();
  }
  EXPECT_FALSE(from_wire(v1::Command()));
}

TEST(MediaPlan, leads_from_what_is_held_to_what_is_wanted_and_then_says_nothing) {
  MediaPlan wanted;
  wanted.sources[16] = {PeerId(1), v1::LINE_USE_MICROPHONE, true};
  wanted.listeners = {PeerId(1)};
  wanted.views[PeerId(1)] = {{v1::LINE_USE_VIDEO_SLOT, 0, 21, 640, 360}};
  const std::vector<v1::MediaMessage> first = difference(GroupId(5), {}, wanted);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_TRUE(first[0].has_bind_source());
  EXPECT_TRUE(first[1].has_set_group());
  EXPECT_TRUE(first[2].has_set_peer_view());
  EXPECT_TRUE(difference(GroupId(5), wanted, wanted).empty());
}

TEST(MediaPlan, unbinds_before_it_binds_the_same_number_to_another_peer) {
  MediaPlan held, wanted;
  held.sources[16] = {PeerId(1), v1::LINE_USE_CAMERA, true};
  wanted.sources[16] = {PeerId(2), v1::LINE_USE_CAMERA, true};
  const std::vector<v1::MediaMessage> messages = difference(GroupId(5), held, wanted);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_TRUE(messages[0].has_unbind_source());
  EXPECT_EQ(messages[1].bind_source().peer(), 2u);
}

TEST(MediaPlan, changes_a_mute_without_unbinding) {
  MediaPlan held, wanted;
  held.sources[16] = {PeerId(1), v1::LINE_USE_MICROPHONE, true};
  wanted.sources[16] = {PeerId(1), v1::LINE_USE_MICROPHONE, false};
  const std::vector<v1::MediaMessage> messages = difference(GroupId(5), held, wanted);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_FALSE(messages[0].bind_source().forwarded());
}

}  // namespace
}  // namespace huitang::api
