// The host's journal upon the store.
#pragma once

#include "api/host_ports.h"
#include "store/store.h"

namespace huitang::api {

class StoreJournal final : public Journal {
 public:
  explicit StoreJournal(store::Store& store) : store_(store) {}
  void add_conference(const conference::Conference& conference, Done done) override {
    store_.add_conference(conference, std::move(done));
  }
  void append(const std::string& number, const conference::Change& change, Done done) override {
    store_.append(number, change, std::move(done));
  }

 private:
  store::Store& store_;
};

}  // namespace huitang::api
