#include "sim/conference_world.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <variant>

#include "conference/ledger.h"
#include "core/random.h"
#include "sim/conference_ask.h"
#include "sim/conference_view.h"

namespace huitang::sim {
namespace {

namespace cf = conference;
using cf::Change;
using cf::Ledger;
using cf::ParticipantId;

/// Thrown by a check, caught by run_conference_world.
struct Broken {
  std::string what;
};
void require(bool holds, const std::string& what) {
  if (!holds) throw Broken{what};
}

// --- What people and machines have been answered
// ----------------------------------------------------------------------

/// Commands by actor ("" is the API) and id, with their first results.
using CommandKey = std::pair<ParticipantId, std::string>;
class Memory {
 public:
  static std::optional<CommandKey> key_of(const cf::Actor& actor, const std::string& id) {
    if (id.empty() || (!actor.participant && actor.entrance != v1::ENTRANCE_API)) return std::nullopt;
    return CommandKey{actor.participant.value_or(ParticipantId()), id};
  }
  const std::string* find(const std::optional<CommandKey>& key) const {
    const auto it = key ? results_.find(*key) : results_.end();
    return it != results_.end() ? &it->second : nullptr;
  }
  void add(const std::optional<CommandKey>& key, const std::string& result) {
    if (key) results_.emplace(*key, result);
  }
  /// What the journal holds of people who are gone stays known; what only changed nothing is forgotten.
  void forget(ParticipantId gone) {
    std::erase_if(results_,
                  [&](const auto& entry) { return entry.first.first == gone && entry.second != "done"; });
  }

 private:
  std::map<CommandKey, std::string> results_;
};

// --- The media node, as it was told
// --------------------------------------------------------------------------------

class Node {
 public:
  void operator()(const cf::ForwardSource& f) { sources_[{f.participant, f.kind}] = {f.number, f.forwarded}; }
  void operator()(const cf::Listen& l) { listeners_.insert(l.participant); }
  void operator()(const cf::LetGo& l) {
    listeners_.erase(l.participant);
    std::erase_if(sources_, [&](const auto& entry) { return entry.first.first == l.participant; });
  }
  void operator()(const cf::CloseGroup&) { is_closed_ = true; }
  void tell(const std::vector<cf::MediaIntent>& intents) {
    for (const auto& intent : intents) std::visit(*this, intent);
  }
  friend bool operator==(const Node&, const Node&) = default;
  void close() { is_closed_ = true; }

 private:
  std::map<std::pair<ParticipantId, v1::SourceKind>, std::pair<cf::SourceNumber, bool>> sources_;
  std::set<ParticipantId> listeners_;
  bool is_closed_ = false;
};

// --- The network
// -------------------------------------------------------------------------------------------------------

struct ToServer {
  std::variant<std::monostate, cf::Join, cf::Command> body;  ///< monostate: resync
  bool is_text_bad = false, is_text_long = false;
};
struct Answer {
  std::string command_id;
  std::string result;  ///< as in the table; "done" and "nothing" and refusals
};
struct Joined {
  ParticipantId id;
  ConferenceView view;
};
struct ToClient {
  std::variant<Joined, ConferenceView, Change, Answer> body;
};
struct Packet {
  size_t client = 0;
  uint32_t epoch = 0;  ///< of the connection it travels on
  std::variant<ToServer, ToClient> body;
};

struct Client {
  std::string session;
  uint32_t epoch = 0;
  bool is_connected = false;
  bool has_chair_token = false;
  bool has_peer = true;
  std::optional<ParticipantId> me;
  std::optional<ConferenceView> view;
  std::map<std::string, ToServer> unanswered;
  uint32_t commands = 0;
};

class World {
 public:
  World(const TransitionTable& table, const WorldOptions& options)
      : table_(table), fault_(options.fault), random_(options.seed) {
    cf::Settings settings;
    settings.may_unmute_self = !one_in(3);
    settings.limits.participants = 4 + random_.below(6);
    const auto conference = *cf::Conference::create(now_, {"123456789", "sim", settings});
    disk_snapshot_ = conference.snapshot();
    told_.emplace(conference);
    history_.push_back(conference.snapshot());
    ahead_ = model_of(conference.snapshot());
    ledger_.emplace(conference);
    clients_.resize(6);
    who_.resize(clients_.size());
    for (size_t i = 0; i < clients_.size(); ++i) {
      clients_[i].session = "c" + std::to_string(i) + ".0";
      clients_[i].has_chair_token = i < 2;
    }
  }

  void run(int steps) {
    for (step_ = 0; step_ < steps; ++step_) step();
    settle();
  }
  int step_number() const { return step_; }
  WorldResult& result() { return result_; }

 private:
  // --- one step
  void step() {
    now_ = core::WallTime::from_unix_millis(now_.to_unix_millis() + random_.below(500));
    Client& client = clients_[random_.below(static_cast<uint32_t>(clients_.size()))];
    const uint32_t dice = random_.below(100);
    if (dice < 30) return act(client);
    if (dice < 34) return retry(client);
    if (dice < 66) return deliver_some();
    if (dice < 84) return progress_disk();
    if (dice < 86) return cut(client);
    if (dice < 88) return toggle_peer(client);
    if (dice < 90) return ask_by_api();
    if (dice < 95) return ask_wildly();
    if (dice < 97) return reconcile(client);
    if (dice < 98) return give_up_somebody();
    if (dice < 99) return crash();
    return miss_the_chair();
  }

  // --- clients
  void act(Client& client) {
    if (!client.is_connected) return connect(client);
    if (!client.me) return send(client, {join_of(client)});
    if (client.commands >= 50) return;  // stays within what a conference remembers of one actor
    Ask ask = random_ask(random_, ahead_);
    ask.command.command_id = client.session + "/" + std::to_string(++client.commands);
    ToServer message{ask.command, ask.is_text_bad, ask.is_text_long};
    client.unanswered[ask.command.command_id] = message;
    send(client, message);
  }
  void retry(Client& client) {
    if (!client.is_connected || client.unanswered.empty()) return;
    auto it = client.unanswered.begin();
    std::advance(it, random_.below(static_cast<uint32_t>(client.unanswered.size())));
    send(client, it->second);
  }
  cf::Join join_of(const Client& client) {
    cf::Join join;
    join.session.value = client.session;
    join.name = client.session;
    join.microphone_on = one_in(2);
    join.camera_on = one_in(2);
    join.has_chair_token = client.has_chair_token;
    join.peer_connected = client.has_peer;
    return join;
  }
  // A new socket: the server knows the session by its resume token, or the client starts anew.
  void connect(Client& client) {
    ++client.epoch;
    client.is_connected = true;
    if (told_->is_barred({client.session})) return start_anew(client);
    const cf::Participant* known = told_->find(cf::SessionKey{client.session});
    who_of(client) = known ? std::optional(known->id) : std::nullopt;
    client.me = who_of(client);
    client.view.reset();
    if (!known) return client.unanswered.clear();
    const ParticipantId me = known->id;  // what follows may replace the state that `known` points into
    tell_fact(cf::SessionBack{me});
    reply(client, {ConferenceView::of(told_->snapshot(), me)});
  }
  // Most of those who were removed try again as they are; some take a new session.
  void start_anew(Client& client) {
    who_of(client).reset();
    client.me.reset();
    client.view.reset();
    client.unanswered.clear();
    if (one_in(3)) client.session += "'";
  }
  void cut(Client& client) {
    if (!client.is_connected) return;
    client.is_connected = false;
    const auto who = who_of(client);
    who_of(client).reset();
    if (who) tell_fact(cf::SessionLost{*who});
  }
  void toggle_peer(Client& client) {
    client.has_peer = !client.has_peer;
    const auto who = who_of(client);
    if (!who) return;
    client.has_peer ? tell_fact(cf::PeerConnected{*who}) : tell_fact(cf::PeerGone{*who});
  }

  void receive(Client& client, const Joined& joined) {
    client.me = joined.id;
    take_view(client, joined.view);
  }
  void receive(Client& client, const ConferenceView& view) {
    if (client.me) take_view(client, view);
  }
  void take_view(Client& client, const ConferenceView& view) {
    if (client.view && client.view->number > view.number) return;
    client.view = view;
    check_view(client);
  }
  void receive(Client& client, const Change& change) {
    if (!client.view) return;
    switch (client.view->apply(change)) {
      case ConferenceView::Outcome::Old: return;
      case ConferenceView::Outcome::Gap: ++result_.resyncs; return send(client, {});
      case ConferenceView::Outcome::Applied: break;
    }
    check_view(client);
    if (!client.view->participants.contains(*client.me)) leave_view(client);
  }
  void leave_view(Client& client) {
    client.me.reset();
    client.view.reset();
    client.unanswered.clear();
    who_of(client).reset();
    if (told_->is_barred({client.session})) start_anew(client);
  }
  void receive(Client& client, const Answer& answer) {
    if (answer.result == "STORE_UNAVAILABLE") return;  // to be tried again
    if (!client.unanswered.erase(answer.command_id) || !client.me) return;
    // Under whatever id: a Join that came twice may have made the session another participant meanwhile.
    const bool is_made = std::any_of(executed_.begin(), executed_.end(),
                                     [&](const CommandKey& key) { return key.second == answer.command_id; });
    require(is_made == (answer.result == "done"),
            "answered " + answer.result + " to " + answer.command_id +
                (is_made ? ", which was made" : ", which was not made"));
  }
  void check_view(const Client& client) const {
    require(client.view->number < history_.size(), "a client knows a change that is not written");
    const ConferenceView truth = ConferenceView::of(history_[client.view->number], *client.me);
    require(*client.view == truth,
            "the view of " + client.session + " is not the state of change " + std::to_string(truth.number));
  }

  // --- network
  std::optional<ParticipantId>& who_of(const Client& client) {
    return who_[static_cast<size_t>(&client - clients_.data())];
  }
  void send(const Client& client, ToServer message) { post(client, std::move(message)); }
  void reply(const Client& client, ToClient message) { post(client, std::move(message)); }
  void post(const Client& client, std::variant<ToServer, ToClient> body) {
    if (packets_.size() < 200)
      packets_.push_back({static_cast<size_t>(&client - clients_.data()), client.epoch, std::move(body)});
  }
  void deliver_some() {
    for (uint32_t n = 1 + random_.below(4); n > 0 && !packets_.empty(); --n) {
      const size_t at = one_in(3) ? random_.below(static_cast<uint32_t>(packets_.size())) : 0;
      const Packet packet = packets_[at];
      if (!one_in(12))
        packets_.erase(packets_.begin() + static_cast<std::ptrdiff_t>(at));  // else it comes again
      if (!one_in(15)) deliver(packet);
    }
  }
  void deliver(const Packet& packet) {
    Client& client = clients_[packet.client];
    if (!client.is_connected || client.epoch != packet.epoch) return;
    if (const auto* up = std::get_if<ToServer>(&packet.body)) return serve(client, *up);
    std::visit([&](const auto& body) { receive(client, body); }, std::get<ToClient>(packet.body).body);
  }

  // --- server
  struct Waiting {
    Ask ask;
    std::optional<Expected> expected;  ///< absent: by a planted bug
    std::optional<std::string> repeats;
    std::optional<size_t> client;
    uint32_t epoch = 0;
  };

  void serve(Client& client, const ToServer& message) {
    const auto who = who_of(client);
    if (const auto* join = std::get_if<cf::Join>(&message.body)) {
      Ask ask{{"", *join}, {std::nullopt, v1::ENTRANCE_PAGE}};
      std::get<cf::Join>(ask.command.operation).first_source = cf::SourceNumber(next_source_ += 4);
      return submit(std::move(ask), &client);
    }
    if (const auto* command = std::get_if<cf::Command>(&message.body))
      return submit({*command, {who, v1::ENTRANCE_PAGE}, message.is_text_bad, message.is_text_long}, &client);
    if (who && told_->find(*who)) reply(client, {whole_state(*who)});
  }
  ConferenceView whole_state(ParticipantId viewer) const {
    ConferenceView view = ConferenceView::of(told_->snapshot(), viewer);
    if (fault_ == Fault::ResyncsWithoutHands)
      for (auto& [_, p] : view.participants) p.hand_since.reset();
    return view;
  }
  void ask_by_api() {
    Ask ask = random_ask(random_, ahead_);
    ask.actor = {std::nullopt, v1::ENTRANCE_API};
    if (api_commands_ == 0 || !one_in(5)) ++api_commands_;
    if (api_commands_ > 50) return;
    ask.command.command_id = "api" + std::to_string(api_commands_);
    submit(std::move(ask), nullptr);
  }
  void ask_wildly() {
    Ask ask = wild_ask(random_, ahead_);
    if (std::holds_alternative<cf::EndConference>(ask.command.operation) && !one_in(8)) return;
    submit(std::move(ask), nullptr);
  }
  void tell_fact(cf::Operation fact) {
    submit({{"", std::move(fact)}, {std::nullopt, v1::ENTRANCE_AUTOMATIC}}, nullptr);
  }
  // What the server does about facts that could not be written down: says again what is so now.
  void reconcile(const Client& client) {
    const auto* known = told_->find(cf::SessionKey{client.session});
    if (!known) return;
    const ParticipantId id = known->id;
    who_of(client) == id ? tell_fact(cf::SessionBack{id}) : tell_fact(cf::SessionLost{id});
    client.has_peer ? tell_fact(cf::PeerConnected{id}) : tell_fact(cf::PeerGone{id});
  }
  void give_up_somebody() {
    for (const auto& [id, p] : told_->snapshot().participants)
      if (p.away_since) return tell_fact(cf::LostTooLong{id});
    if (one_in(20)) tell_fact(cf::EmptyTooLong{});
  }
  void miss_the_chair() { tell_fact(cf::ChairAwayTooLong{}); }

  void submit(Ask ask, const Client* client) {
    Waiting waiting{ask, {}, {}, {}};
    if (client) waiting.client = static_cast<size_t>(client - clients_.data()), waiting.epoch = client->epoch;
    const auto key = Memory::key_of(ask.actor, ask.command.command_id);
    if (const std::string* known = memory_ahead_.find(key)) {
      waiting.repeats = *known;
    } else {
      waiting.expected = table_.expect(ahead_, ask);
      result_.rows_hit.push_back(waiting.expected->row);
      note(memory_ahead_, key, waiting.expected->result, gone_between(ahead_, waiting.expected->after));
      ahead_ = waiting.expected->after;
    }
    plant_before(ask);
    const uint64_t token = ++token_;
    waiting_.emplace(token, std::move(waiting));
    ledger_->handle_command(now_, token, ask.command, ask.actor);
    plant_after(ask);
    pump();
  }
  static std::vector<ParticipantId> gone_between(const ConferenceModel& before,
                                                 const ConferenceModel& after) {
    std::vector<ParticipantId> gone;
    for (const Person& p : before.people) {
      const auto is_same = [&](const Person& q) { return q.id == p.id; };
      if (std::none_of(after.people.begin(), after.people.end(), is_same)) gone.emplace_back(p.id);
    }
    return gone;
  }
  // A change is remembered whoever is gone; other results of those who are listed.
  void note(Memory& memory, const std::optional<CommandKey>& key, const std::string& result,
            const std::vector<ParticipantId>& gone) const {
    for (const ParticipantId id : gone) memory.forget(id);
    const bool is_change = result == "done";
    const bool is_listed = key && (key->first == ParticipantId() || is_listed_ahead(key->first));
    if (is_change || is_listed) memory.add(key, result);
  }
  bool is_listed_ahead(ParticipantId id) const {
    return std::any_of(ahead_.people.begin(), ahead_.people.end(),
                       [&](const Person& p) { return p.id == id.value(); });
  }

  void pump() {
    while (auto write = ledger_->poll_write()) {
      if (fault_ == Fault::AcksBeforeWritten) ledger_->handle_written(*write);
      disk_queue_.push_back(std::move(*write));
    }
    while (auto outcome = ledger_->poll_outcome()) handle_outcome(*outcome);
    require(told_->snapshot() == ledger_->written().snapshot(), "what was told is not what was written");
    require(ledger_->is_consistent() && told_->is_consistent(), "the state contradicts itself");
  }

  void handle_outcome(const Ledger::Outcome& outcome) {
    const auto it = waiting_.find(outcome.token);
    const std::optional<Waiting> waiting = it != waiting_.end() ? std::optional(it->second) : std::nullopt;
    if (waiting) waiting_.erase(it);
    const std::string result = result_of(outcome);
    if (outcome.result && outcome.result->change) make_known(*outcome.result);
    if (!waiting) return;  // a planted bug's own
    if (result != "STORE_UNAVAILABLE") check_outcome(*waiting, outcome, result);
    if (waiting->client) answer(*waiting, outcome, result);
  }
  static std::string result_of(const Ledger::Outcome& outcome) {
    if (!outcome.result) return v1::RefusalCode_Name(outcome.result.error().code).substr(13);
    if (outcome.result->repeated) return "repeated";
    return outcome.result->change ? "done" : "nothing";
  }
  void check_outcome(const Waiting& waiting, const Ledger::Outcome& outcome, const std::string& result) {
    const std::string what = std::string(cf::to_string(waiting.ask.command.operation)) + ": " + result;
    const auto key = Memory::key_of(waiting.ask.actor, waiting.ask.command.command_id);
    if (waiting.repeats) {
      ++result_.repeats;
      const bool was_accepted = *waiting.repeats == "done" || *waiting.repeats == "nothing";
      require(result == (was_accepted ? "repeated" : *waiting.repeats),
              what + " instead of a repeat of " + *waiting.repeats);
      return;
    }
    const Expected& expected = *waiting.expected;
    require(result == expected.result,
            what + " (" + detail_of(outcome) + ") where the table says " + table_.text_of(expected.row));
    note_told(key, result);
    if (result != "done") return;
    require(outcome.result->change->happening == expected.happening, what + " with another happening");
    const ConferenceModel after = model_of(told_->snapshot());
    require(after == expected.after,
            what + "\nstate " + to_string(after) + "\ntable " + to_string(expected.after));
  }
  static std::string detail_of(const Ledger::Outcome& outcome) {
    return outcome.result ? "" : outcome.result.error().detail;
  }
  void note_told(const std::optional<CommandKey>& key, const std::string& result) {
    if (result == "done") return;  // make_known did it
    const bool is_listed = key && (key->first == ParticipantId() || told_->find(key->first));
    if (is_listed) memory_told_.add(key, result);
  }

  // A change is durable and goes out: to the record of what was told, to people, to the node.
  void make_known(const cf::Effects& effects) {
    const Change& change = *effects.change;
    require(told_->replay({&change, 1}).has_value(), "the change cannot be made again");
    record(change);
    for (const cf::MediaIntent& intent : effects.media)
      if (!is_withheld(intent)) node_.tell({intent});
    check_node();
    for (Client& client : clients_)
      if (const auto who = who_of(client); client.is_connected && who)
        reply(client, {change_for(change, *who)});
  }
  void record(const Change& change) {
    ++result_.changes;
    history_.push_back(told_->snapshot());
    for (const cf::Gone& gone : change.gone) memory_told_.forget(gone.id), memory_journal_.forget(gone.id);
    const auto key = Memory::key_of({change.by, change.entrance}, change.command_id);
    if (key) require(executed_.insert(*key).second, "made twice: " + change.command_id);
    memory_told_.add(key, "done");
    memory_journal_.add(key, "done");
  }
  void check_node() {
    Node truth;
    truth.tell(told_->media());
    if (told_->info().ended) truth.close();
    require(node_ == truth, "the media node was told something else than the state says");
  }
  Change change_for(const Change& change, ParticipantId viewer) {
    if (fault_ == Fault::LeaksPrivateChat) return change;
    Change seen = cf::seen_by(change, viewer);
    if (fault_ == Fault::SkipsAChange && one_in(10)) {
      seen = {};
      seen.number = change.number;
    }
    return seen;
  }
  void answer(const Waiting& waiting, const Ledger::Outcome& outcome, const std::string& result) {
    Client& client = clients_[*waiting.client];
    if (!client.is_connected || client.epoch != waiting.epoch) return;
    if (std::holds_alternative<cf::Join>(waiting.ask.command.operation)) {
      if (!outcome.result || !outcome.result->joined || !told_->find(*outcome.result->joined)) {
        if (result == "REMOVED") start_anew(client);
        return;
      }
      who_of(client) = *outcome.result->joined;
      return reply(client, {Joined{*who_of(client), whole_state(*who_of(client))}});
    }
    const std::string first = waiting.repeats && result == "repeated" ? *waiting.repeats : result;
    reply(client, {Answer{waiting.ask.command.command_id, first}});
  }

  // --- disk
  void progress_disk() {
    for (uint32_t n = 1 + random_.below(3); n > 0 && !disk_queue_.empty(); --n) {
      const Ledger::Write write = disk_queue_.front();
      disk_queue_.pop_front();
      if (fault_ != Fault::AcksBeforeWritten && one_in(40)) return fail_writes(write);
      if (fault_ != Fault::LosesRecord || !one_in(20)) disk_records_.push_back(write.change);
      ledger_->handle_written(write);
      pump();
    }
    if (one_in(10)) compact();
  }
  // The store refuses what has a gap before it: everything after the failed write fails too.
  void fail_writes(const Ledger::Write& first) {
    ++result_.failed_writes;
    std::deque<Ledger::Write> lost;
    lost.swap(disk_queue_);
    lost.push_front(first);
    ahead_ = model_of(told_->snapshot());
    memory_ahead_ = memory_told_;
    for (const Ledger::Write& write : lost) ledger_->handle_write_failed(write);
    pump();
  }
  void compact() {
    auto state = cf::Conference::from_snapshot(disk_snapshot_);
    require(state && state->replay(disk_records_), "the journal cannot be replayed");
    disk_snapshot_ = state->snapshot();
    disk_records_.clear();
  }

  // --- crash and restart
  void crash() {
    ++result_.crashes;
    while (!disk_queue_.empty() && one_in(2)) {  // on disk, though nobody was told
      disk_records_.push_back(disk_queue_.front().change);
      disk_queue_.pop_front();
    }
    disk_queue_.clear();
    waiting_.clear();
    packets_.clear();
    for (Client& client : clients_) {
      client.is_connected = false;
      who_of(client).reset();
    }
    restart();
  }
  void restart() {
    auto state = cf::Conference::from_snapshot(disk_snapshot_);
    require(state.has_value(), "the snapshot contradicts itself");
    for (const Change& change : disk_records_) {
      require(state->replay({&change, 1}).has_value(), "the journal cannot be replayed");
      if (change.number < history_.size()) continue;
      *told_ = *state;
      record(change);
    }
    require(state->snapshot() == history_.back(), "the crash lost what somebody was told");
    *told_ = *state;
    node_ = Node();
    node_.tell(told_->media());
    if (told_->info().ended) node_.close();
    ahead_ = model_of(told_->snapshot());
    memory_told_ = memory_journal_;
    memory_ahead_ = memory_told_;
    ledger_.emplace(*told_);
    tell_fact(cf::AllSessionsLost{});
  }

  // --- the end: everything heals, and everyone must know everything
  void settle() {
    fault_ = fault_ == Fault::LosesRecord ? fault_ : Fault::None;
    drain();
    for (Client& client : clients_) {
      if (!client.is_connected) connect(client);
      reconcile(client);
    }
    drain();
    for (Client& client : clients_) {
      const auto again = client.unanswered;
      for (const auto& [_, message] : again) send(client, message), drain();
      send(client, {});
      drain();
    }
    crash();
    drain();
    for (Client& client : clients_) connect(client);
    drain();
    for (const Client& client : clients_) check_settled(client);
  }
  void check_settled(const Client& client) {
    const cf::Participant* known = told_->find(cf::SessionKey{client.session});
    if (!known) return;
    require(client.view && *client.view == ConferenceView::of(told_->snapshot(), known->id),
            "the view of " + client.session + " has not converged");
    require(client.unanswered.empty(), client.session + " was not answered");
    require(known->connection == v1::CONNECTION_STATE_IN, client.session + " is connected, and not in");
  }
  void drain() {
    for (int rounds = 0; !packets_.empty() || !disk_queue_.empty(); ++rounds) {
      require(rounds < 10'000, "the world does not come to rest");
      while (!disk_queue_.empty()) {
        const Ledger::Write write = disk_queue_.front();
        disk_queue_.pop_front();
        disk_records_.push_back(write.change);
        ledger_->handle_written(write);
      }
      pump();
      if (packets_.empty()) continue;
      const Packet packet = packets_.front();
      packets_.pop_front();
      deliver(packet);
    }
  }

  // --- planted bugs
  void raw(cf::Operation operation, cf::Actor actor) {
    ledger_->handle_command(now_, ++token_, {"", std::move(operation)}, actor);
  }
  void plant_before(Ask& ask) {
    cf::Operation& op = ask.command.operation;
    const cf::Actor api{std::nullopt, v1::ENTRANCE_API};
    if (fault_ == Fault::ForgetsCommandIds && one_in(2)) ask.command.command_id.clear();
    if (fault_ == Fault::SharesOverOthers && std::holds_alternative<cf::StartShare>(op))
      for (const Person& p : ahead_.people) raw(cf::StopShare{ParticipantId(p.id)}, api);
    auto* join = std::get_if<cf::Join>(&op);
    if (fault_ == Fault::LockLetsIn && join) raw(cf::SetLock{false}, api);
    if (fault_ == Fault::RemovedMayReturn && join && told_->is_barred(join->session))
      join->session.value += "?";
  }
  void plant_after(const Ask& ask) {
    const auto* asked = std::get_if<cf::AskUnmute>(&ask.command.operation);
    if (fault_ == Fault::OpensMicrophoneWhenAsked && asked)
      raw(cf::SetMicrophone{true}, {asked->target, v1::ENTRANCE_PAGE});
  }
  bool is_withheld(const cf::MediaIntent& intent) {
    const auto* source = std::get_if<cf::ForwardSource>(&intent);
    const bool is_mute = source && source->kind == v1::SOURCE_KIND_MICROPHONE && !source->forwarded;
    return (fault_ == Fault::ForgetsMediaIntent && is_mute && one_in(4)) ||
           (fault_ == Fault::KeepsRemovedPeer && std::holds_alternative<cf::LetGo>(intent));
  }

  bool one_in(uint32_t n) { return random_.below(n) == 0; }

  const TransitionTable& table_;
  Fault fault_;
  core::SeededRandom random_;
  core::WallTime now_ = core::WallTime::from_unix_millis(1'800'000'000'000);
  int step_ = 0;
  WorldResult result_;

  std::optional<Ledger> ledger_;
  std::optional<cf::Conference> told_;  ///< what anybody was told, replayed
  std::vector<cf::State> history_;      ///< by change number
  ConferenceModel ahead_;               ///< of the oracle, with what is not written yet
  Memory memory_ahead_, memory_told_, memory_journal_;
  std::set<CommandKey> executed_;
  std::map<uint64_t, Waiting> waiting_;
  uint64_t token_ = 0;
  uint32_t next_source_ = 1;
  uint32_t api_commands_ = 0;
  Node node_;

  cf::State disk_snapshot_;
  std::vector<Change> disk_records_;
  std::deque<Ledger::Write> disk_queue_;

  std::vector<Client> clients_;
  std::vector<std::optional<ParticipantId>> who_;  ///< server side: whom a client's connection speaks for
  std::deque<Packet> packets_;
};

}  // namespace

const char* to_string(Fault fault) {
  switch (fault) {
    case Fault::None: return "none";
    case Fault::AcksBeforeWritten: return "acks_before_written";
    case Fault::LosesRecord: return "loses_record";
    case Fault::ForgetsCommandIds: return "forgets_command_ids";
    case Fault::LeaksPrivateChat: return "leaks_private_chat";
    case Fault::SkipsAChange: return "skips_a_change";
    case Fault::ResyncsWithoutHands: return "resyncs_without_hands";
    case Fault::OpensMicrophoneWhenAsked: return "opens_microphone_when_asked";
    case Fault::SharesOverOthers: return "shares_over_others";
    case Fault::LockLetsIn: return "lock_lets_in";
    case Fault::RemovedMayReturn: return "removed_may_return";
    case Fault::ForgetsMediaIntent: return "forgets_media_intent";
    case Fault::KeepsRemovedPeer: return "keeps_removed_peer";
  }
  return "?";
}

WorldResult run_conference_world(const TransitionTable& table, const WorldOptions& options) {
  World world(table, options);
  try {
    world.run(options.steps);
  } catch (const Broken& broken) {
    world.result().broken = "seed " + std::to_string(options.seed) + ", step " +
                            std::to_string(world.step_number()) + ": " + broken.what;
  }
  return world.result();
}

}  // namespace huitang::sim
