// One OpenSSL DTLS object between two memory ends: datagrams in one by one, datagrams out as a list, and its
// retransmission timer made drivable. Private to this folder.
#pragma once

#include <openssl/ssl.h>
#include <sys/time.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "core/time.h"
#include "crypto/srtp_key.h"
#include "dtls/fingerprint.h"
#include "dtls/verify.h"

namespace huitang::dtls {

class SslSession final : public CertificateJudge {
 public:
  enum class Step { Waiting, Done, RemoteClosed, Failed };

  struct Config {
    bool is_server = true;
    uint16_t mtu = 1200;
    std::vector<crypto::SrtpProfile> profiles;
    std::vector<Fingerprint> remote_fingerprints;
  };

  SslSession(ssl_ctx_st* context, Config config);
  SslSession(const SslSession&) = delete;
  SslSession& operator=(const SslSession&) = delete;

  /// Goes on with the handshake, `datagram` being all there is to read (may be empty).
  Step handshake(core::Bytes datagram);
  /// After the handshake: reads what is left; application bytes are counted in `application_records`.
  Step read(core::Bytes datagram);
  /// Sends the last flight again.
  Step retransmit();
  void shutdown();

  std::vector<core::Buffer> take_written() { return std::exchange(written_, {}); }

  /// True once after OpenSSL (re)started its timer; `interval` says how long it should run.
  bool take_timer_started() { return std::exchange(timer_started_, false); }
  bool is_timer_running() const { return timer_running_; }
  core::Duration interval() const { return interval_; }

  bool had_wrong_fingerprint() const { return wrong_fingerprint_; }
  const std::string& error() const { return error_; }
  uint64_t application_records() const { return application_records_; }

  std::optional<crypto::SrtpProfile> profile() const;
  struct Keys {
    crypto::SrtpKeyMaterial client, server;
  };
  /// RFC 5764 section 4.2. Absent when OpenSSL cannot.
  std::optional<Keys> export_keys() const;

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  static const BIO_METHOD* bio_method();
  static int bio_read(BIO* bio, char* out, int size);
  static int bio_write(BIO* bio, const char* in, int size);
  static long bio_ctrl(BIO* bio, int command, long number, void* pointer);
  static unsigned timer_callback(SSL* ssl, unsigned last_micros);
  bool accepts(const x509_st& certificate) override;
  Step step_of(int result);
  void on_timer(timeval* next);

  Config config_;
  core::Bytes unread_;
  std::vector<core::Buffer> written_;
  timeval* next_timeout_ = nullptr;
  bool timer_running_ = false, timer_started_ = false;
  core::Duration interval_;
  bool wrong_fingerprint_ = false;
  uint64_t application_records_ = 0;
  std::string error_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace huitang::dtls
