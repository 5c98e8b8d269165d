#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "doctor/finding.h"
#include "doctor/trial.h"

namespace huitang::doctor {
namespace {

const Findings kMixed = {{"serve", Grade::Ok, {"网页服务正常", "The pages answer"}, {}},
                         {"disk", Grade::Warning, {"磁盘将满", "It \"fills\""}, {"清理", "Make room"}},
                         {"media", Grade::Error, {"没有运行", "It does not run"}, {"启动", "Start it"}}};

TEST(Report, the_worst_finding_decides_and_none_is_well) {
  EXPECT_EQ(worst(kMixed), Grade::Error);
  EXPECT_EQ(worst({}), Grade::Ok);
}

TEST(Report, text_has_what_and_advice_in_one_language_only) {
  const std::string zh = to_text(kMixed, Language::Chinese);
  EXPECT_NE(zh.find("[错误] media: 没有运行\n       → 启动"), std::string::npos) << zh;
  EXPECT_EQ(zh.find("Start it"), std::string::npos);
  const std::string en = to_text(kMixed, Language::English);
  EXPECT_NE(en.find("1 errors, 1 warnings"), std::string::npos) << en;
  EXPECT_EQ(en.find("启动"), std::string::npos);
}

TEST(Report, the_environment_decides_the_language) {
  EXPECT_EQ(language_of("zh_CN.UTF-8"), Language::Chinese);
  EXPECT_EQ(language_of("C.UTF-8"), Language::English);
  EXPECT_EQ(language_of(""), Language::English);
}

TEST(Report, json_can_be_read_whatever_stands_in_a_finding) {
  Findings findings = kMixed;
  findings[2].what.en = "line\nbreak \\ \x01";
  google::protobuf::Struct parsed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(to_json(findings), &parsed).ok());
  EXPECT_EQ(parsed.fields().at("worst").string_value(), "error");
  const auto& rows = parsed.fields().at("findings").list_value();
  ASSERT_EQ(rows.values_size(), 3);
  EXPECT_EQ(rows.values(2).struct_value().fields().at("what").struct_value().fields().at("en").string_value(),
            findings[2].what.en);
}

const std::string kJoined = R"({"event":"joined","bot":"Doctor 1"}
{"event":"joined","bot":"Doctor 2"}
{"event":"media","bot":"Doctor 1","connected":true}
{"event":"media","bot":"Doctor 2","connected":true}
)";

TEST(Trial, succeeds_when_each_bot_sees_and_hears_the_other) {
  const PathFacts facts = judge_trial(kJoined + R"({"event":"mark","bot":"Doctor 1","mark":902}
bot Doctor 1: a line that is no report
{"event":"mark","bot":"Doctor 2","mark":901}
{"event":"tones","bot":"Doctor 1","hertz":[1100]}
{"event":"tones","bot":"Doctor 2","hertz":[1000]}
)");
  EXPECT_TRUE(is_success(facts));
}

TEST(Trial, what_a_bot_sees_or_hears_of_itself_does_not_count) {
  const PathFacts facts = judge_trial(kJoined + R"({"event":"mark","bot":"Doctor 1","mark":901}
{"event":"tones","bot":"Doctor 2","hertz":[1100]}
{"event":"mark","bot":"Doctor 2","mark":901}
{"event":"tones","bot":"Doctor 2","hertz":[1000])");  // the last line is not whole
  EXPECT_FALSE(is_success(facts));
  EXPECT_EQ(facts.joined, 2u);
  EXPECT_EQ(facts.connected, 2u);
  EXPECT_EQ(facts.seeing, 1u);
  EXPECT_EQ(facts.hearing, 0u);
}

TEST(Trial, a_refusal_is_the_obstacle_that_is_told) {
  const PathFacts facts =
      judge_trial("{\"event\":\"refused\",\"bot\":\"Doctor 1\",\"code\":\"BOX_FULL\",\"detail\":\"full\"}\n");
  EXPECT_EQ(facts.joined, 0u);
  EXPECT_EQ(facts.obstacle, "BOX_FULL full");
}

}  // namespace
}  // namespace huitang::doctor
