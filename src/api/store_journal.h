// The host's journal upon the store.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "api/host_ports.h"
#include "api/metrics.h"
#include "store/store.h"

namespace huitang::api {

class StoreJournal final : public Journal {
 public:
  StoreJournal(store::Store& store, Metrics& metrics) : store_(store), metrics_(metrics) {}
  void add_conference(const conference::Conference& conference, Done done) override {
    store_.add_conference(conference, std::move(done));
  }
  void append(const std::string& number, const conference::Change& change, Done done) override {
    store_.append(number, change, std::move(done));
  }
  void keep_generation(const std::string& session, uint64_t generation) override {
    store_.put_setting(setting_of(session), std::to_string(generation), count_failure());
  }
  void forget_generation(const std::string& session) override {
    store_.drop_setting(setting_of(session), count_failure());
  }

  static constexpr std::string_view kGenerations = "resume.";
  static KeptGenerations generations_of(const store::SettingList& settings) {
    KeptGenerations kept;
    for (const auto& [name, value] : settings)
      kept[name.substr(kGenerations.size())] = std::strtoull(value.c_str(), nullptr, 10);
    return kept;
  }

 private:
  static std::string setting_of(const std::string& session) { return std::string(kGenerations) + session; }
  store::Callback<void> count_failure() {
    return [this](const core::Result<void, core::Failure>& written) {
      if (!written) metrics_.add(Metric::JournalFailures);
    };
  }
  store::Store& store_;
  Metrics& metrics_;
};

}  // namespace huitang::api
