#include "dtls/ssl_session.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/srtp.h>

#include <algorithm>
#include <array>

#include "core/check.h"
#include "crypto/hash.h"

namespace huitang::dtls {
namespace {

// RFC 6347 section 4.2.4.1 suggests a second; on paths that ICE has just measured to answer within tens of
// milliseconds the first repeat comes sooner, and doubles. OpenSSL gives up after twelve, some 30 s later.
constexpr core::Duration kFirstInterval = core::Duration::millis(100);
constexpr core::Duration kLongestInterval = core::Duration::seconds(5);

// Up to 3.1 OpenSSL hands the BIO a pointer to the very `struct timeval` of its timer; from 3.2 on to a copy.
bool timer_is_ours() {
  static const bool result = OpenSSL_version_num() < 0x30200000UL;
  return result;
}

const char* openssl_name(crypto::SrtpProfile profile) {
  switch (profile) {
    case crypto::SrtpProfile::Aes128CmHmacSha1_80: return "SRTP_AES128_CM_SHA1_80";
    case crypto::SrtpProfile::AeadAes128Gcm: return "SRTP_AEAD_AES_128_GCM";
    case crypto::SrtpProfile::AeadAes256Gcm: return "SRTP_AEAD_AES_256_GCM";
  }
  return "";
}

const EVP_MD* digest_of(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::Sha256: return EVP_sha256();
    case HashAlgorithm::Sha384: return EVP_sha384();
    case HashAlgorithm::Sha512: return EVP_sha512();
  }
  return nullptr;
}

SslSession* session_of(BIO* bio) { return static_cast<SslSession*>(BIO_get_data(bio)); }

}  // namespace

SslSession::SslSession(ssl_ctx_st* context, Config config)
    : config_(std::move(config)), ssl_(SSL_new(context)) {
  HUITANG_CHECK(ssl_ != nullptr);
  BIO* bio = BIO_new(bio_method());
  HUITANG_CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), static_cast<CertificateJudge*>(this));
  SSL_set_mtu(ssl_.get(), config_.mtu);
  DTLS_set_timer_cb(ssl_.get(), &timer_callback);
  std::string profiles;
  for (const crypto::SrtpProfile profile : config_.profiles) {
    profiles += (profiles.empty() ? "" : ":") + std::string(openssl_name(profile));
  }
  HUITANG_CHECK(SSL_set_tlsext_use_srtp(ssl_.get(), profiles.c_str()) == 0);
  config_.is_server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
}

const BIO_METHOD* SslSession::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams in memory");
    HUITANG_CHECK(m != nullptr);
    BIO_meth_set_read(m, &bio_read);
    BIO_meth_set_write(m, &bio_write);
    BIO_meth_set_ctrl(m, &bio_ctrl);
    return m;
  }();
  return method;
}

int SslSession::bio_read(BIO* bio, char* out, int size) {
  core::Bytes& unread = session_of(bio)->unread_;
  BIO_clear_retry_flags(bio);
  if (unread.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t n = std::min(unread.size(), static_cast<size_t>(size));
  std::copy_n(unread.begin(), n, reinterpret_cast<uint8_t*>(out));
  unread = {};
  return static_cast<int>(n);
}

int SslSession::bio_write(BIO* bio, const char* in, int size) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(in);
  session_of(bio)->written_.emplace_back(bytes, bytes + size);
  return size;
}

long SslSession::bio_ctrl(BIO* bio, int command, long, void* pointer) {
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU: return session_of(bio)->config_.mtu;
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT: session_of(bio)->on_timer(static_cast<timeval*>(pointer)); return 1;
    default: return 0;
  }
}

void SslSession::on_timer(timeval* next) {
  timer_running_ = next->tv_sec != 0 || next->tv_usec != 0;
  timer_started_ = timer_running_;
  if (!timer_is_ours()) return;
  next_timeout_ = timer_running_ ? next : nullptr;
  // Out of OpenSSL's reach: a datagram that arrives late would otherwise repeat the flight by itself.
  if (timer_running_) next->tv_sec += 1'000'000'000;
}

unsigned SslSession::timer_callback(SSL* ssl, unsigned last_micros) {
  auto* session = static_cast<SslSession*>(static_cast<CertificateJudge*>(SSL_get_app_data(ssl)));
  session->interval_ = last_micros == 0 ? kFirstInterval : std::min(session->interval_ * 2, kLongestInterval);
  return static_cast<unsigned>(session->interval_.to_micros());
}

bool SslSession::accepts(const x509_st& certificate) {
  for (const Fingerprint& expected : config_.remote_fingerprints) {
    std::array<uint8_t, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    if (X509_digest(&certificate, digest_of(expected.algorithm), digest.data(), &size) != 1) continue;
    if (crypto::constant_time_equal(core::Bytes(digest).first(size), expected.digest)) return true;
  }
  wrong_fingerprint_ = true;
  return false;
}

SslSession::Step SslSession::handshake(core::Bytes datagram) {
  unread_ = datagram;
  ERR_clear_error();
  const Step step = step_of(SSL_do_handshake(ssl_.get()));
  unread_ = {};
  return step;
}

SslSession::Step SslSession::read(core::Bytes datagram) {
  unread_ = datagram;
  std::array<uint8_t, 2048> scratch;
  Step step = Step::Done;
  // A datagram holds a few records at most; each turn takes one.
  while (step == Step::Done) {
    ERR_clear_error();
    step = step_of(SSL_read(ssl_.get(), scratch.data(), static_cast<int>(scratch.size())));
    if (step == Step::Done) ++application_records_;
  }
  unread_ = {};
  return step;
}

SslSession::Step SslSession::retransmit() {
  if (next_timeout_ != nullptr) *next_timeout_ = timeval{1, 0};  // long past
  ERR_clear_error();
  const long result = DTLSv1_handle_timeout(ssl_.get());
  return result >= 0 ? Step::Waiting : step_of(-1);
}

void SslSession::shutdown() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

SslSession::Step SslSession::step_of(int result) {
  if (result > 0) return Step::Done;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return Step::Waiting;
    case SSL_ERROR_ZERO_RETURN: return Step::RemoteClosed;
    default: break;
  }
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  error_ = reason != nullptr ? reason : "unknown";
  ERR_clear_error();
  return Step::Failed;
}

std::optional<crypto::SrtpProfile> SslSession::profile() const {
  const SRTP_PROTECTION_PROFILE* selected = SSL_get_selected_srtp_profile(ssl_.get());
  if (selected == nullptr) return std::nullopt;
  return static_cast<crypto::SrtpProfile>(selected->id);
}

//   | client key | server key | client salt | server salt |
std::optional<SslSession::Keys> SslSession::export_keys() const {
  static constexpr std::string_view kLabel = "EXTRACTOR-dtls_srtp";
  const auto selected = profile();
  if (!selected) return std::nullopt;
  const size_t key_size = crypto::srtp_key_size(*selected), salt_size = crypto::srtp_salt_size(*selected);
  std::array<uint8_t, 2 * (32 + 14)> material;
  const size_t size = 2 * (key_size + salt_size);
  if (SSL_export_keying_material(ssl_.get(), material.data(), size, kLabel.data(), kLabel.size(), nullptr, 0,
                                 0) != 1) {
    return std::nullopt;
  }
  Keys keys{{*selected, {}, {}}, {*selected, {}, {}}};
  core::ByteReader reader(core::Bytes(material).first(size));
  const auto take = [&](auto& into, size_t n) { std::ranges::copy(reader.take(n), into.begin()); };
  take(keys.client.key, key_size);
  take(keys.server.key, key_size);
  take(keys.client.salt, salt_size);
  take(keys.server.salt, salt_size);
  OPENSSL_cleanse(material.data(), material.size());
  return keys;
}

}  // namespace huitang::dtls
