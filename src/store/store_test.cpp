// The contract of the store, written against a backend that the suite is given: today SQLite, later
// PostgreSQL too.
#include "store/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <mutex>

#include "store/journal_codec.h"

namespace huitang::store {
namespace {

namespace fs = std::filesystem;
using conference::Change;
using conference::Conference;
using conference::SetLock;

constexpr core::WallTime kNow = core::WallTime::from_unix_millis(1'800'000'000'000);
constexpr conference::Actor kApi{std::nullopt, v1::ENTRANCE_API};
constexpr auto kGenerous = std::chrono::seconds(60);

/// The thread that the store's callbacks are handed to: the test itself.
class Loop {
 public:
  Executor executor() {
    return [this](std::function<void()> f) {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(f));
      wake_.notify_one();
    };
  }
  void run_one() {
    std::unique_lock lock(mutex_);
    if (!wake_.wait_for(lock, kGenerous, [&] { return !queue_.empty(); }))
      throw std::runtime_error("no callback");
    auto f = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    f();
  }
  /// Calls `start` with a callback and runs the loop until it came.
  template <class T>
  core::Result<T, core::Failure> await(const std::function<void(Callback<T>)>& start) {
    std::optional<core::Result<T, core::Failure>> got;
    start([&](core::Result<T, core::Failure> r) { got = std::move(r); });
    while (!got) run_one();
    return *std::move(got);
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
};

/// A database of its own, that can be opened again and looked into.
class SqliteBackend {
 public:
  SqliteBackend() {
    std::string pattern = (fs::temp_directory_path() / "store_test_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~SqliteBackend() { fs::remove_all(folder_); }
  std::string path() const { return (folder_ / "huitang.db").string(); }
  void execute(const std::string& sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << (error ? error : "");
    sqlite3_free(error);
    sqlite3_close(db);
  }
  int64_t count(const std::string& sql) const {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
    sqlite3_stmt* st = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &st, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    EXPECT_EQ(sqlite3_step(st), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
  }

 private:
  fs::path folder_;
};

Conference new_conference(const std::string& number = "123456789") {
  return *Conference::create(kNow, {number, "Weekly", {}});
}

/// Toggles the lock: one change each.
Change next_change(Conference& c, const std::string& command_id = "") {
  return *c.apply(kNow, {command_id, SetLock{!c.info().locked}}, kApi)->change;
}

conference::ParticipantId join(Conference& c, const std::string& name, std::vector<Change>& changes) {
  conference::Join j;
  j.session.value = name + std::string("\0\xff", 2);
  j.name = name;
  j.has_chair_token = name == "alice";
  j.microphone_on = true;
  j.first_source = conference::SourceNumber(c.snapshot().next_participant.value() * 4);
  auto effects = c.apply(kNow, {"", j}, {std::nullopt, v1::ENTRANCE_PAGE});
  changes.push_back(*effects->change);
  return *effects->joined;
}

class StoreContract : public ::testing::Test {
 protected:
  StoreContract() { reopen(); }
  void reopen() {
    store_.reset();
    auto opened = Store::open(config(), loop_.executor());
    ASSERT_TRUE(opened) << opened.error().context;
    store_ = *std::move(opened);
  }
  Config config() const {
    Config c;
    c.path = backend_.path();
    c.snapshot_every = 10;
    return c;
  }
  core::Result<void, core::Failure> add(const Conference& c) {
    return loop_.await<void>([&](auto done) { store_->add_conference(c, done); });
  }
  core::Result<void, core::Failure> append(const Change& change, const std::string& number = "123456789") {
    return loop_.await<void>([&](auto done) { store_->append(number, change, done); });
  }
  LiveConferences load() {
    auto live = loop_.await<LiveConferences>([&](auto done) { store_->load_live(done); });
    EXPECT_TRUE(live);
    return *std::move(live);
  }

  SqliteBackend backend_;
  Loop loop_;
  std::unique_ptr<Store> store_;
};

std::error_code code(const core::Result<void, core::Failure>& r) {
  return r ? std::error_code() : r.error().code;
}

TEST_F(StoreContract, gives_a_live_conference_back_as_it_was_when_last_written) {
  Conference c = new_conference();
  ASSERT_TRUE(add(c));
  std::vector<Change> changes;
  const auto alice = join(c, "alice", changes);
  const auto bob = join(c, "bob", changes);
  const auto do_it = [&](conference::Operation op, conference::ParticipantId who, const char* id) {
    changes.push_back(*c.apply(kNow, {id, std::move(op)}, {who, v1::ENTRANCE_PAGE})->change);
  };
  do_it(conference::SendChat{"大家好", {}}, bob, "1");
  do_it(conference::SendChat{"private", alice}, bob, "2");
  do_it(conference::SetHand{true, {}}, bob, "3");
  do_it(conference::StartShare{true}, bob, "4");
  do_it(conference::MuteOther{bob}, alice, "5");
  changes.push_back(*c.apply(kNow, {"", conference::SessionLost{bob}}, {{}, v1::ENTRANCE_AUTOMATIC})->change);
  const auto carol = join(c, "carol", changes);
  do_it(conference::RemoveParticipant{carol}, alice, std::string(64, 'x').c_str());
  for (const Change& change : changes) ASSERT_TRUE(append(change));
  reopen();
  const LiveConferences live = load();
  ASSERT_EQ(live.conferences.size(), 1u);
  EXPECT_EQ(live.conferences[0].snapshot(), c.snapshot());
  EXPECT_TRUE(live.damaged.empty());
}

TEST_F(StoreContract, refuses_a_number_that_is_taken) {
  ASSERT_TRUE(add(new_conference()));
  EXPECT_EQ(code(add(new_conference())), StoreError::NumberTaken);
  EXPECT_TRUE(add(new_conference("987654321")));
  EXPECT_EQ(load().conferences.size(), 2u);
}

TEST_F(StoreContract, refuses_changes_of_conferences_it_does_not_know_or_out_of_order) {
  Conference c = new_conference();
  EXPECT_EQ(code(append(next_change(c))), StoreError::UnknownConference);
  Conference d = new_conference();
  ASSERT_TRUE(add(d));
  const Change first = next_change(d);
  const Change second = next_change(d);
  EXPECT_EQ(code(append(second)), StoreError::OutOfOrder);
  EXPECT_TRUE(append(first));
  EXPECT_EQ(code(append(first)), StoreError::OutOfOrder);
  EXPECT_TRUE(append(second));
}

TEST_F(StoreContract, keeps_the_journal_short_by_snapshots_of_its_own) {
  Conference c = new_conference();
  ASSERT_TRUE(add(c));
  for (int i = 0; i < 95; ++i) ASSERT_TRUE(append(next_change(c, std::to_string(i))));
  EXPECT_EQ(store_->counters().snapshots, 9u);
  EXPECT_LE(backend_.count("SELECT COUNT(*) FROM changes"), 10);
  reopen();
  EXPECT_EQ(load().conferences.at(0).snapshot(), c.snapshot());
  ASSERT_TRUE(append(next_change(c)));
  EXPECT_EQ(load().conferences.at(0).snapshot(), c.snapshot());
}

TEST_F(StoreContract, no_longer_loads_an_ended_conference_and_keeps_its_number_until_pruned) {
  Conference c = new_conference();
  ASSERT_TRUE(add(c));
  ASSERT_TRUE(append(*c.apply(kNow, {"", conference::EndConference{}}, kApi)->change));
  EXPECT_TRUE(load().conferences.empty());
  EXPECT_EQ(code(add(new_conference())), StoreError::NumberTaken);
  Change late;
  late.number = 2;
  EXPECT_EQ(code(append(late)), StoreError::UnknownConference);
  const auto find = [&] {
    return *loop_.await<std::optional<ConferenceRecord>>(
        [&](auto done) { store_->find_conference("123456789", done); });
  };
  ASSERT_TRUE(find());
  EXPECT_EQ(find()->ended, kNow);
  EXPECT_EQ(find()->title, "Weekly");
  const auto prune = [&](core::WallTime t) {
    return *loop_.await<uint64_t>([&](auto done) { store_->prune_ended_before(t, done); });
  };
  EXPECT_EQ(prune(kNow), 0u);
  EXPECT_EQ(prune(core::WallTime::from_unix_millis(kNow.to_unix_millis() + 1)), 1u);
  EXPECT_FALSE(find());
  EXPECT_EQ(backend_.count("SELECT COUNT(*) FROM changes"), 0);
}

TEST_F(StoreContract, keeps_settings_of_any_bytes) {
  const auto get = [&] {
    return *loop_.await<std::optional<std::string>>([&](auto done) { store_->get_setting("key", done); });
  };
  const auto get_or_put = [&](const std::string& v) {
    return *loop_.await<std::string>([&](auto done) { store_->get_or_put_setting("key", v, done); });
  };
  EXPECT_FALSE(get());
  EXPECT_EQ(get_or_put("first"), "first");
  EXPECT_EQ(get_or_put("second"), "first");
  const std::string bytes("\0\xff'\n", 4);
  ASSERT_TRUE(loop_.await<void>([&](auto done) { store_->put_setting("key", bytes, done); }));
  reopen();
  EXPECT_EQ(get(), bytes);
}

TEST_F(StoreContract, lists_settings_by_how_their_names_begin_and_drops_them) {
  for (const char* name : {"resume.a", "resume.b", "resumed", "other"})
    ASSERT_TRUE(
        loop_.await<void>([&](auto done) { store_->put_setting(name, std::string("v\0", 2), done); }));
  auto list = [&] {
    return *loop_.await<SettingList>([&](auto done) { store_->list_settings("resume.", done); });
  };
  ASSERT_EQ(list().size(), 2u);
  EXPECT_EQ(list()[0], std::pair(std::string("resume.a"), std::string("v\0", 2)));
  ASSERT_TRUE(loop_.await<void>([&](auto done) { store_->drop_setting("resume.a", done); }));
  ASSERT_EQ(list().size(), 1u);
  EXPECT_EQ(list()[0].first, "resume.b");
}

TEST_F(StoreContract, lets_many_conferences_share_a_transaction) {
  constexpr int kConferences = 50, kChanges = 20;
  std::vector<Conference> all;
  for (int i = 0; i < kConferences; ++i) all.push_back(new_conference(std::to_string(100'000'000 + i)));
  for (const Conference& c : all) ASSERT_TRUE(add(c));
  const uint64_t before = store_->counters().transactions;
  int done = 0;
  for (int i = 0; i < kChanges; ++i)
    for (Conference& c : all)
      store_->append(c.info().number, next_change(c), [&](auto r) { done += r.has_value(); });
  for (int i = 0; i < kConferences * kChanges; ++i) loop_.run_one();
  EXPECT_EQ(done, kConferences * kChanges);
  EXPECT_LT(store_->counters().transactions - before, uint64_t{kConferences * kChanges / 2});
}

TEST_F(StoreContract, calls_back_in_the_order_of_the_calls) {
  Conference c = new_conference();
  std::vector<int> order;
  store_->add_conference(c, [&](auto) { order.push_back(0); });
  for (int i = 1; i <= 30; ++i)
    store_->append("123456789", next_change(c), [&, i](auto r) { order.push_back(r ? i : -1); });
  for (int i = 0; i <= 30; ++i) loop_.run_one();
  std::vector<int> expected(31);
  for (int i = 0; i <= 30; ++i) expected[static_cast<size_t>(i)] = i;
  EXPECT_EQ(order, expected);
}

TEST_F(StoreContract, one_that_fails_for_its_own_reason_does_not_harm_its_neighbours) {
  Conference c = new_conference();
  ASSERT_TRUE(add(c));
  std::vector<bool> results;
  const auto note = [&](auto r) { results.push_back(r.has_value()); };
  store_->append("123456789", next_change(c), note);
  store_->append("000000000", next_change(c), note);
  Conference other = new_conference("222222222");
  store_->add_conference(other, note);
  for (int i = 0; i < 3; ++i) loop_.run_one();
  EXPECT_EQ(results, (std::vector<bool>{true, false, true}));
}

TEST_F(StoreContract, finishes_what_waits_before_it_closes) {
  Conference c = new_conference();
  ASSERT_TRUE(add(c));
  int done = 0;
  for (int i = 0; i < 100; ++i)
    store_->append("123456789", next_change(c), [&](auto r) { done += r.has_value(); });
  reopen();
  for (int i = 0; i < 100; ++i) loop_.run_one();
  EXPECT_EQ(done, 100);
  EXPECT_EQ(load().conferences.at(0).snapshot(), c.snapshot());
}

// --- Bad disks
// -------------------------------------------------------------------------------------------------------

class StoreOnBadDisk : public StoreContract {
 protected:
  /// Three changes on disk, of which the record of `change` is spoilt.
  Conference with_spoilt_change(int change) {
    Conference c = new_conference();
    EXPECT_TRUE(add(c));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(append(next_change(c)));
    store_.reset();
    backend_.execute("UPDATE changes SET record = 'AAAA' || substr(record, 5) WHERE change = " +
                     std::to_string(change));
    reopen();
    return c;
  }
};

TEST_F(StoreOnBadDisk, restores_up_to_a_damaged_change_and_keeps_the_rest_aside) {
  with_spoilt_change(2);
  const LiveConferences live = load();
  ASSERT_EQ(live.damaged.size(), 1u);
  EXPECT_EQ(live.damaged[0].number, "123456789");
  EXPECT_TRUE(live.damaged[0].is_restored);
  EXPECT_NE(live.damaged[0].what.find("change 2"), std::string::npos) << live.damaged[0].what;
  ASSERT_EQ(live.conferences.size(), 1u);
  EXPECT_EQ(live.conferences[0].snapshot().last_change, 1u);
  EXPECT_EQ(backend_.count("SELECT COUNT(*) FROM damaged_changes"), 2);
  Conference c = live.conferences[0];
  EXPECT_TRUE(append(next_change(c)));
  EXPECT_TRUE(load().damaged.empty());
}

TEST_F(StoreOnBadDisk, finds_a_change_that_is_missing) {
  Conference c = new_conference();
  ASSERT_TRUE(add(c));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(next_change(c)));
  store_.reset();
  backend_.execute("DELETE FROM changes WHERE change = 2");
  reopen();
  const LiveConferences live = load();
  ASSERT_EQ(live.damaged.size(), 1u);
  EXPECT_EQ(live.damaged[0].what, "change 3 does not follow");
  EXPECT_EQ(live.conferences.at(0).snapshot().last_change, 1u);
}

TEST_F(StoreOnBadDisk, reports_a_damaged_snapshot_leaves_it_and_loads_the_others) {
  ASSERT_TRUE(add(new_conference()));
  ASSERT_TRUE(add(new_conference("222222222")));
  store_.reset();
  backend_.execute("UPDATE conferences SET snapshot = 'A' || substr(snapshot, 2) WHERE number = '123456789'");
  reopen();
  for (int again = 0; again < 2; ++again) {
    const LiveConferences live = load();
    ASSERT_EQ(live.conferences.size(), 1u);
    EXPECT_EQ(live.conferences[0].info().number, "222222222");
    ASSERT_EQ(live.damaged.size(), 1u);
    EXPECT_FALSE(live.damaged[0].is_restored);
  }
}

TEST_F(StoreOnBadDisk, goes_on_appending_when_no_snapshot_can_be_made_of_a_damaged_journal) {
  Conference c = with_spoilt_change(2);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(append(next_change(c)));
  EXPECT_EQ(store_->counters().snapshots, 0u);
  EXPECT_EQ(backend_.count("SELECT COUNT(*) FROM changes"), 33);
}

TEST_F(StoreOnBadDisk, says_that_a_setting_is_damaged) {
  ASSERT_TRUE(loop_.await<void>([&](auto done) { store_->put_setting("key", "value", done); }));
  store_.reset();
  backend_.execute("UPDATE settings SET value = '!!!!'");
  reopen();
  const auto got =
      loop_.await<std::optional<std::string>>([&](auto done) { store_->get_setting("key", done); });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, StoreError::Damaged);
}

TEST_F(StoreOnBadDisk, cannot_open_what_is_no_database_or_cannot_be_written) {
  store_.reset();
  const fs::path junk = fs::path(backend_.path()).parent_path() / "junk.db";
  {
    const int fd = ::open(junk.c_str(), O_WRONLY | O_CREAT, 0600);
    const std::string text(4096, 'x');
    ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(fd);
  }
  const auto open = [&](const fs::path& path) {
    const auto opened = Store::open({path.string()}, loop_.executor());
    EXPECT_FALSE(opened);
    return opened ? std::error_code() : opened.error().code;
  };
  EXPECT_EQ(open(junk), StoreError::Damaged);
  EXPECT_EQ(fs::file_size(junk), 4096u) << "left as it was";
  EXPECT_EQ(open(junk.parent_path() / "no" / "such" / "folder.db"), std::errc::no_such_file_or_directory);
  EXPECT_EQ(open(junk.parent_path()), std::errc::is_a_directory);
}

TEST_F(StoreOnBadDisk, does_not_touch_a_database_of_a_later_version) {
  store_.reset();
  backend_.execute("INSERT INTO schema_version (version) VALUES (999)");
  const auto opened = Store::open(config(), loop_.executor());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, StoreError::SchemaTooNew);
}

TEST_F(StoreOnBadDisk, makes_a_file_that_only_its_owner_can_read) {
  struct stat info {};
  ASSERT_EQ(::stat(backend_.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

/// Files of this process cannot grow beyond `bytes` while it lives: a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(StoreOnBadDisk, refuses_what_does_not_fit_and_goes_on_when_there_is_room_again) {
  Conference written = new_conference();
  ASSERT_TRUE(add(written));
  Conference ahead = written;
  uint64_t refused = 0;
  {
    const FullDisk disk(256 * 1024);
    for (int i = 0; i < 200; ++i) {
      const Change change = next_change(ahead);
      if (append(change))
        written = ahead;
      else
        ++refused, ahead = written;
    }
  }
  EXPECT_GT(refused, 0u);
  EXPECT_GT(written.snapshot().last_change, 0u);
  EXPECT_EQ(load().conferences.at(0).snapshot(), written.snapshot());
  ASSERT_TRUE(append(next_change(written)));
  reopen();
  EXPECT_EQ(load().conferences.at(0).snapshot(), written.snapshot());
}

TEST_F(StoreOnBadDisk, refuses_when_too_much_waits) {
  store_.reset();
  Config small = config();
  small.queue_cap = 0;
  store_ = *Store::open(small, loop_.executor());
  EXPECT_EQ(code(add(new_conference())), StoreError::Overloaded);
  EXPECT_EQ(store_->counters().rejected, 1u);
}

// --- kill -9
// ---------------------------------------------------------------------------------------------------------

// The child appends as fast as it can and tells each acknowledged number through the pipe; it never returns.
[[noreturn]] void write_until_killed(const std::string& path, int pipe) {
  Loop loop;
  Config config;
  config.path = path;
  config.snapshot_every = 7;
  auto store = *Store::open(config, loop.executor());
  auto live = *loop.await<LiveConferences>([&](auto done) { store->load_live(done); });
  Conference c = live.conferences.at(0);
  for (;;) {
    for (int i = 0; i < 5; ++i) {
      const Change change = next_change(c);
      store->append("123456789", change, [pipe, number = change.number](auto r) {
        if (!r || ::write(pipe, &number, sizeof number) != sizeof number) ::_exit(1);
      });
    }
    for (int i = 0; i < 5; ++i) loop.run_one();
  }
}

uint64_t acknowledged_before_kill(const std::string& path, useconds_t after_acks) {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(fds[0]);
    write_until_killed(path, fds[1]);
  }
  ::close(fds[1]);
  uint64_t last = 0, number = 0;
  for (useconds_t n = 0; n < after_acks && ::read(fds[0], &number, sizeof number) == sizeof number; ++n)
    last = number;
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself";
  while (::read(fds[0], &number, sizeof number) == sizeof number) last = number;
  ::close(fds[0]);
  return last;
}

TEST_F(StoreOnBadDisk, holds_every_acknowledged_change_after_kill_9_of_the_writer) {
  ASSERT_TRUE(add(new_conference()));
  const int kills = std::getenv("HUITANG_DEEP") ? 200 : 8;
  core::SeededRandom random(20261124);
  uint64_t at_least = 0;
  for (int i = 0; i < kills; ++i) {
    store_.reset();
    at_least = std::max(at_least, acknowledged_before_kill(backend_.path(), random.below(120)));
    reopen();
    const LiveConferences live = load();
    ASSERT_TRUE(live.damaged.empty()) << live.damaged[0].what;
    ASSERT_EQ(live.conferences.size(), 1u);
    EXPECT_GE(live.conferences[0].snapshot().last_change, at_least);
    EXPECT_EQ(live.conferences[0].info().locked, live.conferences[0].snapshot().last_change % 2 == 1);
  }
  EXPECT_GT(at_least, 0u);
}

// --- Columns
// ---------------------------------------------------------------------------------------------------------

TEST(Column, holds_any_bytes) {
  for (const std::string& bytes :
       {std::string(), std::string("a"), std::string("ab"), std::string("\0\xff\x80", 3)})
    EXPECT_EQ(*parse_column(write_column(bytes)), bytes);
}

TEST(Column, notices_every_changed_character) {
  const std::string column = write_column("conference");
  for (size_t i = 0; i < column.size(); ++i)
    for (const char c : {'A', 'z', '/', '=', ' '}) {
      std::string spoilt = column;
      if (spoilt[i] == c) continue;
      spoilt[i] = c;
      const auto parsed = parse_column(spoilt);
      EXPECT_TRUE(!parsed || *parsed == "conference")
          << i << c;  // spare bits of the last character mean nothing
    }
  EXPECT_FALSE(parse_column(column.substr(4)));
  EXPECT_FALSE(parse_column(""));
}

TEST(Column, uses_the_published_sum) {  // RFC 3720 appendix B.4: 32 bytes of zeros
  EXPECT_EQ(write_column(std::string(32, '\0')).substr(0, 6), "ipE2qg");
}

}  // namespace
}  // namespace huitang::store
