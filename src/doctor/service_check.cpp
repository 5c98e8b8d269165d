#include "doctor/service_check.h"

namespace huitang::doctor {

Finding check_serve(const ServeFacts& facts) {
  const Words start{
      "运行 systemctl start huitang-serve；起不来就看 journalctl -u huitang-serve -n 50",
      "Run systemctl start huitang-serve; if it does not start, see journalctl -u huitang-serve -n 50"};
  if (facts.is_other)
    return {"serve",
            Grade::Error,
            {facts.address + " 上回答的不是会堂，或用的是别的证书",
             "What answers at " + facts.address + " is not this Huitang, or it has another certificate"},
            {"看 port-https 一项；证书刚换过就重启 huitang-serve",
             "See port-https; after a change of certificate restart huitang-serve"}};
  if (!facts.is_reached)
    return {"serve",
            Grade::Error,
            {"网页服务没有回答：" + facts.address, "The pages do not answer at " + facts.address},
            start};
  if (!facts.is_ready)
    return {"serve",
            Grade::Error,
            {"网页服务在运行，但还不能开会：" + facts.missing,
             "The pages are there, but nobody can meet yet: " + facts.missing},
            {"看下面 media 一项；手册里有每一句的解释",
             "See media below; the guide explains each such sentence"}};
  return {"serve", Grade::Ok, {"网页服务正常", "The pages answer, people can meet"}, {}};
}

Finding check_alarms(const ServeFacts& facts) {
  if (facts.alarms.empty()) return {"alarms", Grade::Ok, {"没有警报", "No alarm is up"}, {}};
  return {"alarms",
          Grade::Warning,
          {"服务报警：" + facts.alarms, "serve raises an alarm: " + facts.alarms},
          {"手册里有每种警报的解释；看 journalctl -u huitang-serve",
           "The guide explains each alarm; see journalctl -u huitang-serve"}};
}

Finding check_media(const MediaFacts& facts) {
  using enum MediaFacts::Answer;
  const Words start{
      "运行 systemctl start huitang-media；起不来就看 journalctl -u huitang-media -n 50",
      "Run systemctl start huitang-media; if it does not start, see journalctl -u huitang-media -n 50"};
  const Words restart{
      "运行 systemctl restart huitang-media：大家的声音几秒后自己恢复",
      "Run systemctl restart huitang-media: everybody's sound comes back by itself within seconds"};
  switch (facts.answer) {
    case NoSocket:
      return {"media",
              Grade::Error,
              {"媒体服务没有运行（没有 " + facts.socket + "）",
               "The media service does not run (no " + facts.socket + ")"},
              start};
    case Refused:
      return {"media",
              Grade::Error,
              {"媒体服务已结束，只留下 " + facts.socket,
               "The media service has ended and left only " + facts.socket},
              start};
    case Forbidden:
      return {"media",
              Grade::Error,
              {"当前用户不能连接 " + facts.socket, "This user may not connect to " + facts.socket},
              {"用 sudo huitang doctor 再查一次", "Run it again as sudo huitang doctor"}};
    case Silent:
      return {"media",
              Grade::Error,
              {"媒体服务在运行却不回答：卡住了，没有声音和画面",
               "The media service runs but does not answer: it hangs, there is neither sound nor picture"},
              restart};
    case Stuck:
      return {"media",
              Grade::Error,
              {"媒体服务有工作线程卡住了，一部分人没有声音和画面",
               "A worker of the media service hangs: some people have neither sound nor picture"},
              restart};
    case Good: break;
  }
  if (facts.build != facts.own_build)
    return {"media",
            Grade::Warning,
            {"媒体服务是另一个版本（" + facts.build + "，已安装 " + facts.own_build + "）",
             "The media service is of another version (" + facts.build + ", installed is " + facts.own_build +
                 ")"},
            {"运行 systemctl reload huitang-media 交接给新版本，会议不断",
             "Run systemctl reload huitang-media to hand over to the new one; meetings go on"}};
  return {"media",
          Grade::Ok,
          {"媒体服务正常，版本 " + facts.build + "，" + std::to_string(facts.workers) + " 个工作线程",
           "The media service answers: version " + facts.build + ", " + std::to_string(facts.workers) +
               " workers"},
          {}};
}

Finding check_path(const PathFacts& facts) {
  constexpr std::string_view id = "media-path";
  if (!facts.is_tried)
    return {id,
            Grade::Error,
            {"没能试开一个会：" + facts.obstacle, "No trial meeting could be held: " + facts.obstacle},
            {"先解决上面的错误，再运行一次", "Mend what is said above first, then run this again"}};
  if (facts.joined < facts.bots)
    return {id,
            Grade::Error,
            {"试开会议时进不去会：" + facts.obstacle,
             "In a trial meeting, not everybody could join: " + facts.obstacle},
            {"看 serve、media 两项，以及 journalctl -u huitang-serve -n 50",
             "See serve and media, and journalctl -u huitang-serve -n 50"}};
  if (facts.connected < facts.bots)
    return {
        id,
        Grade::Error,
        {"能进会，但音视频（UDP）不通", "People get in, but sound and pictures (UDP) do not get through"},
        {"核对 server.public_address 是不是浏览器能到达的本机地址，防火墙是否放行 UDP 端口（见 firewall）",
         "See that server.public_address is an address of this machine that browsers reach, and that the "
         "firewall "
         "lets the UDP ports through (see firewall)"}};
  if (facts.seeing < facts.bots || facts.hearing < facts.bots)
    return {
        id,
        Grade::Error,
        {"音视频连上了，但 " + std::to_string(facts.bots) + " 方中只有 " + std::to_string(facts.seeing) +
             " 方看到、" + std::to_string(facts.hearing) + " 方听到对方",
         "Media connects, but of " + std::to_string(facts.bots) + " only " + std::to_string(facts.seeing) +
             " see and " + std::to_string(facts.hearing) + " hear the other"},
        {"处理器太忙时会这样（看 top）；否则运行 systemctl restart huitang-media",
         "A processor that is too busy does this (see top); otherwise run systemctl restart huitang-media"}};
  return {id,
          Grade::Ok,
          {"试开会议成功：双方互相看到、听到", "A trial meeting worked: both sides saw and heard each other"},
          {}};
}

}  // namespace huitang::doctor
