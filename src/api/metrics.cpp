#include "api/metrics.h"

namespace huitang::api {
namespace {

using enum Metric;
constexpr bool kGauge = true;
constexpr bool kCounter = false;

constexpr std::array kCatalogue = {
    MetricRow{ConnectionsOpen, "huitang_connections_open", kGauge, "TCP connections open at the moment"},
    MetricRow{ConnectionsAccepted, "huitang_connections_accepted_total", kCounter,
              "TCP connections accepted"},
    MetricRow{ConnectionsRefused, "huitang_connections_refused_total", kCounter,
              "TCP connections closed at once because of the limits in [limits]"},
    MetricRow{ConnectionsStrange, "huitang_connections_strange", kGauge,
              "open connections that have no session"},
    MetricRow{ConnectionsCrowdedOut, "huitang_connections_crowded_out_total", kCounter,
              "connections without a conference closed to make room for newer ones; many mean a flood"},
    MetricRow{ConnectionsOverdue, "huitang_connections_overdue_total", kCounter,
              "connections closed because they said nothing whole in their time"},
    MetricRow{
        TlsFailed, "huitang_tls_failed_total", kCounter,
        "TLS handshakes that failed; many mean browsers that do not trust the certificate (see /trust)"},
    MetricRow{HttpRequests, "huitang_http_requests_total", kCounter, "HTTP requests answered"},
    MetricRow{HttpRefused, "huitang_http_refused_total", kCounter, "HTTP requests answered with 4xx or 5xx"},
    MetricRow{SocketsOpen, "huitang_sockets_open", kGauge, "WebSocket connections open at the moment"},
    MetricRow{SocketsTooSlow, "huitang_sockets_too_slow_total", kCounter,
              "sockets closed because the client did not read fast enough; it resumes by itself"},
    MetricRow{SocketMessagesIn, "huitang_socket_messages_in_total", kCounter, "signaling messages received"},
    MetricRow{SocketMessagesOut, "huitang_socket_messages_out_total", kCounter, "signaling messages sent"},
    MetricRow{SocketBytesOut, "huitang_socket_bytes_out_total", kCounter,
              "signaling bytes sent, before compression"},
    MetricRow{SocketsAbusive, "huitang_sockets_abusive_total", kCounter,
              "sockets closed for oversized messages, too many broken ones, or silence instead of a Hello"},
    MetricRow{MessagesBroken, "huitang_messages_broken_total", kCounter,
              "signaling messages that were not understood"},
    MetricRow{MessagesLimited, "huitang_messages_limited_total", kCounter,
              "signaling messages over the rate limit"},
    MetricRow{Sessions, "huitang_sessions", kGauge, "sessions, those in their resume time included"},
    MetricRow{SessionsResumed, "huitang_sessions_resumed_total", kCounter,
              "sessions gone on with after a lost socket"},
    MetricRow{TokensChecked, "huitang_tokens_checked_total", kCounter, "signatures of tokens verified"},
    MetricRow{SecretsChecked, "huitang_secrets_checked_total", kCounter, "admin secrets hashed and compared"},
    MetricRow{ResumesRefused, "huitang_resumes_refused_total", kCounter,
              "resume tokens refused: forged, used before, or too old"},
    MetricRow{InvitesRefused, "huitang_invites_refused_total", kCounter,
              "chair tokens refused: forged, too old, or of another conference"},
    MetricRow{AdminsRefused, "huitang_admins_refused_total", kCounter,
              "admin secrets and cookies refused; many mean that somebody tries"},
    MetricRow{SocketsReplaced, "huitang_sockets_replaced_total", kCounter,
              "sockets closed because a newer one goes on with their session"},
    MetricRow{Conferences, "huitang_conferences", kGauge, "live conferences"},
    MetricRow{Participants, "huitang_participants", kGauge, "participants listed in live conferences"},
    MetricRow{ParticipantsReconnecting, "huitang_participants_reconnecting", kGauge,
              "participants whose connection is lost and who may still come back"},
    MetricRow{JoinsRefused, "huitang_joins_refused_total", kCounter,
              "joins refused: no such conference, locked, full, removed"},
    MetricRow{JoinsAlarm, "huitang_joins_alarm", kGauge,
              "1 while so many joins are refused that somebody may be trying conference numbers"},
    MetricRow{CommandsDone, "huitang_commands_done_total", kCounter, "conference commands carried out"},
    MetricRow{CommandsRefused, "huitang_commands_refused_total", kCounter, "conference commands refused"},
    MetricRow{JournalWrites, "huitang_journal_writes_total", kCounter, "changes written to the journal"},
    MetricRow{JournalFailures, "huitang_journal_failures_total", kCounter,
              "journal writes that failed: look at the disk (full? read-only?)"},
    MetricRow{JournalPending, "huitang_journal_pending", kGauge, "changes waiting to be written"},
    MetricRow{StoreSilent, "huitang_store_silent", kGauge,
              "1 while the store has not answered for 5 s: the disk hangs, and nothing new is accepted"},
    MetricRow{MediaConnected, "huitang_media_connected", kGauge, "1 while the media process answers"},
    MetricRow{MediaConnects, "huitang_media_connects_total", kCounter,
              "connections made to the media process"},
    MetricRow{MediaNodesReplaced, "huitang_media_nodes_replaced_total", kCounter,
              "times that another media process answered than before"},
    MetricRow{
        MediaNodesSilent, "huitang_media_nodes_silent_total", kCounter,
        "media processes given up because they did not answer for 10 s; look at media.log and the load"},
    MetricRow{MediaCrashLoop, "huitang_media_crash_loop", kGauge,
              "1 while the media process ends again and again soon after its start; media.log says why"},
    MetricRow{MediaRequestsFailed, "huitang_media_requests_failed_total", kCounter,
              "requests that the media process refused or did not answer"},
    MetricRow{MediaStarts, "huitang_media_starts_total", kCounter, "media processes started by serve"},
    MetricRow{BoxFull, "huitang_box_full", kGauge,
              "1 while no media worker takes new conferences or participants: the box needs more cores"},
    MetricRow{BotsRestarted, "huitang_bots_restarted_total", kCounter,
              "demo bots started again after they ended"},
};
static_assert(kCatalogue.size() == static_cast<size_t>(kCount), "each metric has one row");

void append(std::string& text, const MetricRow& row, uint64_t value) {
  text.append("# HELP ").append(row.name).append(" ").append(row.help).append("\n");
  text.append("# TYPE ").append(row.name).append(row.is_gauge ? " gauge\n" : " counter\n");
  text.append(row.name).append(" ").append(std::to_string(value)).append("\n");
}

}  // namespace

std::string Metrics::to_prometheus() const {
  std::string text;
  for (const MetricRow& row : kCatalogue) append(text, row, get(row.metric));
  for (const auto& [name, value] : media_)
    text.append("huitang_media_").append(name).append(" ").append(std::to_string(value)).append("\n");
  return text;
}

std::map<std::string, uint64_t> Metrics::figures() const {
  std::map<std::string, uint64_t> named;
  for (const MetricRow& row : kCatalogue) named[std::string(row.name)] = get(row.metric);
  return named;
}

}  // namespace huitang::api
