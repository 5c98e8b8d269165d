#include "dtls/identity.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>

#include "core/check.h"
#include "dtls/verify.h"

namespace huitang::dtls {
namespace {

constexpr int64_t kDay = 24 * 3600;

// Runs inside OpenSSL's handshake in place of chain building: a self-signed certificate has no chain.
int judge_certificate(X509_STORE_CTX* store, void*) {
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* judge = static_cast<CertificateJudge*>(SSL_get_app_data(ssl));
  const X509* certificate = X509_STORE_CTX_get0_cert(store);
  if (judge != nullptr && certificate != nullptr && judge->accepts(*certificate)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

// Forward secrecy and AEAD only. ECDHE-RSA is for servers with an RSA certificate, when we are the client.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384";

SSL_CTX* make_context(EVP_PKEY* key, X509* certificate) {
  SSL_CTX* context = SSL_CTX_new(DTLS_method());
  HUITANG_CHECK(context != nullptr);
  HUITANG_CHECK(SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1);
  HUITANG_CHECK(SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1);
  HUITANG_CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
  HUITANG_CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
  HUITANG_CHECK(SSL_CTX_set_cipher_list(context, kCiphers) == 1);
  HUITANG_CHECK(SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1);
  SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, 16 * 1024);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &judge_certificate, nullptr);
  return context;
}

X509* make_certificate(EVP_PKEY* key, core::WallTime now) {
  X509* certificate = X509_new();
  HUITANG_CHECK(certificate != nullptr);
  const auto seconds = static_cast<time_t>(now.to_unix_millis() / 1000);
  X509_set_version(certificate, X509_VERSION_3);
  HUITANG_CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate),
                                        static_cast<uint64_t>(now.to_unix_millis()) | 1) == 1);
  ASN1_TIME_set(X509_getm_notBefore(certificate), seconds - kDay);
  ASN1_TIME_set(X509_getm_notAfter(certificate), seconds + 3650 * kDay);
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>("huitang");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  HUITANG_CHECK(X509_set_pubkey(certificate, key) == 1);
  HUITANG_CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
  return certificate;
}

Fingerprint fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  HUITANG_CHECK(X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1);
  return {HashAlgorithm::Sha256, core::Buffer(digest.begin(), digest.begin() + size)};
}

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

}  // namespace

void Identity::Free::operator()(evp_pkey_st* p) const { EVP_PKEY_free(p); }
void Identity::Free::operator()(x509_st* p) const { X509_free(p); }
void Identity::Free::operator()(ssl_ctx_st* p) const { SSL_CTX_free(p); }

Identity::Identity(std::unique_ptr<evp_pkey_st, Free> key, std::unique_ptr<x509_st, Free> certificate)
    : key_(std::move(key)),
      certificate_(std::move(certificate)),
      context_(make_context(key_.get(), certificate_.get())),
      fingerprint_(fingerprint_of(certificate_.get())) {}

Identity::Identity(Identity&&) noexcept = default;
Identity& Identity::operator=(Identity&&) noexcept = default;
Identity::~Identity() = default;

Identity Identity::generate(core::WallTime now) {
  std::unique_ptr<evp_pkey_st, Free> key(EVP_EC_gen("P-256"));
  HUITANG_CHECK(key != nullptr);
  std::unique_ptr<x509_st, Free> certificate(make_certificate(key.get(), now));
  return Identity(std::move(key), std::move(certificate));
}

core::Result<Identity, core::ParseError> Identity::from_pem(std::string_view pem) {
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
  HUITANG_CHECK(in != nullptr);
  std::unique_ptr<evp_pkey_st, Free> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  std::unique_ptr<x509_st, Free> certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  const bool fits = key && certificate && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!fits) return core::err(core::ParseError::Malformed);
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_EC) return core::err(core::ParseError::Unsupported);
  return Identity(std::move(key), std::move(certificate));
}

std::string Identity::to_pem() const {
  const BioPtr out(BIO_new(BIO_s_mem()), &BIO_free_all);
  HUITANG_CHECK(out != nullptr);
  HUITANG_CHECK(PEM_write_bio_PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  HUITANG_CHECK(PEM_write_bio_X509(out.get(), certificate_.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace huitang::dtls
