#include "store/store.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "store/journal.h"

namespace huitang::store {
namespace {

using Work = std::function<Status(soci::session&)>;

struct Job {
  const char* what = "";
  Work work;
  std::function<void(Status)> done;
};

bool is_of_store(const Status& status) {
  return !status && status.error().code.category() == make_error_code(StoreError::Damaged).category();
}

}  // namespace

// The thread and its queue. Jobs that wait together are written together.
class Store::Worker {
 public:
  Worker(const Config& config, std::unique_ptr<Database> database, Executor completions)
      : queue_cap_(config.queue_cap),
        database_(std::move(database)),
        journal_(config.snapshot_every),
        completions_(std::move(completions)),
        thread_([this] { run(); }) {}

  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      is_closing_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  void post(Job job) {
    {
      const std::lock_guard lock(mutex_);
      if (queue_.size() < queue_cap_) {
        queue_.push_back(std::move(job));
        wake_.notify_one();
        return;
      }
      ++counters_.rejected;
    }
    complete(job, core::err(core::Failure{StoreError::Overloaded, job.what}));
  }

  Journal& journal() { return journal_; }  ///< for jobs, on the thread only

  Counters counters() const {
    const std::lock_guard lock(mutex_);
    Counters now = counters_;
    now.waiting = queue_.size();
    return now;
  }

 private:
  void run() {
    for (std::deque<Job> batch = take_batch(); !batch.empty(); batch = take_batch()) run_batch(batch);
  }

  // Empty when the store closes and nothing waits.
  std::deque<Job> take_batch() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return !queue_.empty() || is_closing_; });
    return std::exchange(queue_, {});
  }

  // What fails for a reason of its own (wrong number …) has written nothing and fails alone. When the
  // database fails, everything is undone and each job gets a transaction to itself, so that one bad job
  // cannot take others along.
  void run_batch(std::deque<Job>& batch) {
    std::vector<Status> results;
    if (run_together(batch, results)) {
      for (size_t i = 0; i < batch.size(); ++i) complete(batch[i], std::move(results[i]));
      return;
    }
    for (Job& job : batch) {
      const std::span<Job> alone(&job, 1);
      std::vector<Status> result;
      Status whole = run_together(alone, result);
      complete(job, whole ? std::move(result.at(0)) : std::move(whole));
    }
  }

  template <class Jobs>
  Status run_together(const Jobs& jobs, std::vector<Status>& results) {
    const Status whole = database_->transact(jobs.begin()->what, [&](soci::session& sql) -> Status {
      for (const Job& job : jobs) {
        Status one = guarded(job.what, [&] { return job.work(sql); });
        if (!one && !is_of_store(one)) return one;
        results.push_back(std::move(one));
      }
      return {};
    });
    whole ? journal_.handle_commit() : journal_.handle_rollback();
    const std::lock_guard lock(mutex_);
    counters_.transactions += whole.has_value();
    counters_.snapshots = journal_.snapshots();
    return whole;
  }

  void complete(Job& job, Status status) {
    {
      const std::lock_guard lock(mutex_);
      ++(status ? counters_.writes : counters_.failures);
    }
    completions_(
        [done = std::move(job.done), status = std::move(status)]() mutable { done(std::move(status)); });
  }

  const size_t queue_cap_;
  std::unique_ptr<Database> database_;
  Journal journal_;
  Executor completions_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  Counters counters_;
  bool is_closing_ = false;
  std::thread thread_;  // last: starts when everything else is there
};

namespace {

/// Turns "status, and a value that the work left behind" into one result.
template <class T>
std::function<void(Status)> deliver(std::shared_ptr<T> value, Callback<T> callback) {
  return [value, callback = std::move(callback)](const Status& status) {
    if (status)
      callback(std::move(*value));
    else
      callback(core::err(status.error()));
  };
}

}  // namespace

core::Result<std::unique_ptr<Store>, core::Failure> Store::open(const Config& config, Executor completions) {
  auto database = Database::open(config.path);
  if (!database) return core::err(database.error());
  return std::unique_ptr<Store>(
      new Store(std::make_unique<Worker>(config, *std::move(database), std::move(completions))));
}

Store::Store(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
Store::~Store() = default;

void Store::add_conference(const conference::Conference& conference, Callback<void> callback) {
  worker_->post({"add conference",
                 [w = worker_.get(), conference](soci::session& sql) {
                   return w->journal().add_conference(sql, conference);
                 },
                 std::move(callback)});
}

void Store::append(const std::string& number, conference::Change change, Callback<void> callback) {
  worker_->post({"append",
                 [w = worker_.get(), number, change = std::move(change)](soci::session& sql) {
                   return w->journal().append(sql, number, change);
                 },
                 std::move(callback)});
}

void Store::load_live(Callback<LiveConferences> callback) {
  auto out = std::make_shared<LiveConferences>();
  worker_->post({"load live conferences",
                 [w = worker_.get(), out](soci::session& sql) {
                   *out = {};
                   return w->journal().load_live(sql, *out);
                 },
                 deliver(out, std::move(callback))});
}

void Store::find_conference(const std::string& number, Callback<std::optional<ConferenceRecord>> callback) {
  auto out = std::make_shared<std::optional<ConferenceRecord>>();
  worker_->post({"find conference",
                 [w = worker_.get(), number, out](soci::session& sql) {
                   return w->journal().find_conference(sql, number, *out);
                 },
                 deliver(out, std::move(callback))});
}

void Store::prune_ended_before(core::WallTime before, Callback<uint64_t> callback) {
  auto out = std::make_shared<uint64_t>(0);
  worker_->post({"prune",
                 [w = worker_.get(), before, out](soci::session& sql) {
                   return w->journal().prune_ended_before(sql, before, *out);
                 },
                 deliver(out, std::move(callback))});
}

void Store::put_setting(const std::string& name, std::string value, Callback<void> callback) {
  worker_->post({"put setting",
                 [w = worker_.get(), name, value = std::move(value)](soci::session& sql) {
                   return w->journal().put_setting(sql, name, value);
                 },
                 std::move(callback)});
}

void Store::get_setting(const std::string& name, Callback<std::optional<std::string>> callback) {
  auto out = std::make_shared<std::optional<std::string>>();
  worker_->post({"get setting",
                 [w = worker_.get(), name, out](soci::session& sql) {
                   return w->journal().get_setting(sql, name, *out);
                 },
                 deliver(out, std::move(callback))});
}

void Store::get_or_put_setting(const std::string& name, std::string value, Callback<std::string> callback) {
  auto out = std::make_shared<std::string>();
  worker_->post({"get or put setting",
                 [w = worker_.get(), name, value = std::move(value), out](soci::session& sql) -> Status {
                   std::optional<std::string> present;
                   if (Status got = w->journal().get_setting(sql, name, present); !got) return got;
                   *out = present.value_or(value);
                   return present ? Status() : w->journal().put_setting(sql, name, value);
                 },
                 deliver(out, std::move(callback))});
}

void Store::drop_setting(const std::string& name, Callback<void> callback) {
  worker_->post(
      {"drop setting",
       [w = worker_.get(), name](soci::session& sql) { return w->journal().drop_setting(sql, name); },
       std::move(callback)});
}

void Store::list_settings(const std::string& prefix, Callback<SettingList> callback) {
  auto out = std::make_shared<SettingList>();
  worker_->post({"list settings",
                 [w = worker_.get(), prefix, out](soci::session& sql) {
                   out->clear();
                   return w->journal().list_settings(sql, prefix, *out);
                 },
                 deliver(out, std::move(callback))});
}

Counters Store::counters() const { return worker_->counters(); }

}  // namespace huitang::store
