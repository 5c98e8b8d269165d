#include "api/certificate_view.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "core/address.h"

namespace huitang::api {

namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using Cert = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio read_from(std::string_view text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free_all};
}

Cert parse(std::string_view pem) {
  const Bio bio = read_from(pem);
  Cert cert(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
  ERR_clear_error();
  return cert;
}

core::WallTime to_wall(const ASN1_TIME* time) {
  tm civil{};
  ASN1_TIME_to_tm(time, &civil);
  return core::WallTime::from_unix_millis(int64_t{timegm(&civil)} * 1000);
}

}  // namespace

std::optional<CertificateView> view_certificate(std::string_view pem) {
  const Cert cert = parse(pem);
  if (!cert) return std::nullopt;
  CertificateView view{to_wall(X509_get0_notBefore(cert.get())), to_wall(X509_get0_notAfter(cert.get())), {}};
  const int size = i2d_X509(cert.get(), nullptr);
  if (size <= 0) return std::nullopt;
  view.der.resize(static_cast<size_t>(size));
  auto* at = reinterpret_cast<unsigned char*>(view.der.data());
  i2d_X509(cert.get(), &at);
  return view;
}

bool names_host(std::string_view pem, const std::string& address) {
  const Cert cert = parse(pem);
  if (!cert) return false;
  return core::parse_ip(address)
             ? X509_check_ip_asc(cert.get(), address.c_str(), 0) == 1
             : X509_check_host(cert.get(), address.data(), address.size(), 0, nullptr) == 1;
}

bool fits_key(std::string_view pem, std::string_view key_pem) {
  const Cert cert = parse(pem);
  const Bio bio = read_from(key_pem);
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  const bool fits = cert && key && X509_check_private_key(cert.get(), key.get()) == 1;
  ERR_clear_error();
  return fits;
}

}  // namespace huitang::api
