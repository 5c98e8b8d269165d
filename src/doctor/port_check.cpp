#include "doctor/port_check.h"

namespace huitang::doctor {

Finding check_port(const PortFacts& facts) {
  const std::string name = (facts.is_tcp ? "TCP " : "UDP ") + std::to_string(facts.port);
  const std::string key(facts.setting);
  switch (facts.use) {
    case PortUse::Ours:
      return {facts.id, Grade::Ok, {name + " 由会堂使用", name + " is held by Huitang"}, {}};
    case PortUse::Free:
      if (!facts.is_service_up)
        return {facts.id, Grade::Ok, {name + " 空闲，可以使用", name + " is free to use"}, {}};
      return {
          facts.id,
          Grade::Error,
          {name + " 应由会堂使用，却无人监听", name + " should be held by Huitang, but nobody listens there"},
          {"设置改过而服务没有重启：重启 huitang-serve；改的是 " + key +
               " 且没有会议时，也重启 huitang-media",
           "The settings were changed without a restart: restart huitang-serve and, for " + key +
               " when no meeting is on, huitang-media"}};
    case PortUse::Forbidden:
      return {facts.id,
              Grade::Warning,
              {name + " 无法检查：当前用户不能使用 1024 以下的端口",
               name + " cannot be tested: this user may not use ports under 1024"},
              {"用 sudo huitang doctor 再查一次", "Run it again as sudo huitang doctor"}};
    case PortUse::Taken: break;
  }
  const std::string who_zh = facts.holder.empty() ? "另一个程序" : facts.holder;
  const std::string who_en = facts.holder.empty() ? "another program" : facts.holder;
  return {facts.id,
          Grade::Error,
          {name + " 被" + who_zh + "占用，会堂用不了",
           name + " is taken by " + who_en + ", so Huitang cannot use it"},
          {"停掉那个程序，或在 huitang.toml 里把 " + key +
               " 改成别的端口，再重启服务（用 ss -lptun 可看到占用者）",
           "End that program, or give " + key +
               " another port in huitang.toml and restart the services (ss -lptun "
               "shows who holds it)"}};
}

}  // namespace huitang::doctor
