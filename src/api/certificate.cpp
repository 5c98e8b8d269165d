#include "api/certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <optional>

#include "api/file_util.h"
#include "core/address.h"
#include "core/bytes.h"

namespace huitang::api {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Cert = std::unique_ptr<X509, Deleter<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

core::Failure invalid(std::string context) {
  ERR_clear_error();
  return {std::make_error_code(std::errc::invalid_argument), std::move(context)};
}

Key make_key() { return Key(EVP_EC_gen("P-256")); }

std::string drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

std::string to_pem(X509* cert) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), cert);
  return drain(bio.get());
}

std::string to_pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return drain(bio.get());
}

Cert parse_cert(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Cert(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

Key parse_key(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

core::WallTime end_of(const X509* cert) {
  tm civil{};
  ASN1_TIME_to_tm(X509_get0_notAfter(cert), &civil);
  return core::WallTime::from_unix_millis(int64_t{timegm(&civil)} * 1000);
}

bool ends_within(const X509* cert, core::WallTime now, int days) {
  return end_of(cert).to_unix_millis() - now.to_unix_millis() < int64_t{days} * 86'400'000;
}

std::string fingerprint_of(const X509* cert) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  X509_digest(cert, EVP_sha256(), digest, &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    char pair[4];
    std::snprintf(pair, sizeof pair, i == 0 ? "%02X" : ":%02X", digest[i]);
    text += pair;
  }
  return text;
}

void set_serial(X509* cert) {
  unsigned char bytes[16];
  RAND_bytes(bytes, sizeof bytes);
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);  // positive, and never shorter
  BIGNUM* number = BN_bin2bn(bytes, sizeof bytes, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
  BN_free(number);
}

void set_validity(X509* cert, core::WallTime now, int days) {
  const time_t from = static_cast<time_t>(now.to_unix_millis() / 1000);
  ASN1_TIME_set(X509_getm_notBefore(cert), from - 86'400);  // clients' clocks are seldom right
  ASN1_TIME_set(X509_getm_notAfter(cert), from + time_t{days} * 86'400 - 86'400);
}

void add_name(X509_NAME* name, const char* field, const std::string& value) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                             static_cast<int>(value.size()), -1, 0);
}

void add_extension(X509* cert, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  if (extension) X509_add_ext(cert, extension.get(), -1);
}

struct Pair {
  Key key;
  Cert cert;
};

Pair make_ca(core::WallTime now, const PrivateCaNames& names) {
  Pair ca{make_key(), Cert(X509_new())};
  X509* cert = ca.cert.get();
  X509_set_version(cert, X509_VERSION_3);
  set_serial(cert);
  set_validity(cert, now, kCaDays);
  X509_set_pubkey(cert, ca.key.get());
  add_name(X509_get_subject_name(cert), "O", "Huitang");
  add_name(X509_get_subject_name(cert), "CN",
           "Huitang CA " + (names.host_name.empty() ? names.public_address : names.host_name).substr(0, 40));
  X509_set_issuer_name(cert, X509_get_subject_name(cert));
  add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(cert, cert, NID_subject_key_identifier, "hash");
  X509_sign(cert, ca.key.get(), EVP_sha256());
  return ca;
}

std::vector<std::string> wanted_names(const PrivateCaNames& names) {
  std::vector<std::string> wanted = {names.public_address, "localhost", "127.0.0.1", "::1"};
  if (!names.host_name.empty()) wanted.push_back(names.host_name);
  return wanted;
}

void append_name(GENERAL_NAMES* list, const std::string& text) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (const std::optional<core::IpAddress> ip = core::parse_ip(text)) {
    ASN1_OCTET_STRING* bytes = ASN1_OCTET_STRING_new();
    const core::Bytes all(ip->bytes);
    const core::Bytes used = ip->is_v4() ? all.last(4) : all;
    ASN1_OCTET_STRING_set(bytes, used.data(), static_cast<int>(used.size()));
    GENERAL_NAME_set0_value(name, GEN_IPADD, bytes);
  } else {
    ASN1_IA5STRING* dns = ASN1_IA5STRING_new();
    ASN1_STRING_set(dns, text.data(), static_cast<int>(text.size()));
    GENERAL_NAME_set0_value(name, GEN_DNS, dns);
  }
  sk_GENERAL_NAME_push(list, name);
}

bool covers(X509* cert, const std::string& name) {
  return core::parse_ip(name) ? X509_check_ip_asc(cert, name.c_str(), 0) == 1
                              : X509_check_host(cert, name.data(), name.size(), 0, nullptr) == 1;
}

Pair make_server(core::WallTime now, const Pair& ca, const PrivateCaNames& names) {
  Pair server{make_key(), Cert(X509_new())};
  X509* cert = server.cert.get();
  X509_set_version(cert, X509_VERSION_3);
  set_serial(cert);
  set_validity(cert, now, kServerDays);
  X509_set_pubkey(cert, server.key.get());
  add_name(X509_get_subject_name(cert), "CN", names.public_address.substr(0, 60));
  X509_set_issuer_name(cert, X509_get_subject_name(ca.cert.get()));
  add_extension(cert, ca.cert.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(cert, ca.cert.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(cert, ca.cert.get(), NID_ext_key_usage, "serverAuth");
  add_extension(cert, ca.cert.get(), NID_subject_key_identifier, "hash");
  add_extension(cert, ca.cert.get(), NID_authority_key_identifier, "keyid");
  const Names list(GENERAL_NAMES_new());
  for (const std::string& name : wanted_names(names)) append_name(list.get(), name);
  X509_add1_ext_i2d(cert, NID_subject_alt_name, list.get(), 0, X509V3_ADD_DEFAULT);
  X509_sign(cert, ca.key.get(), EVP_sha256());
  return server;
}

/// Absent when the files are not there; Failure when they are and are of no use, for then people should
/// decide.
core::Result<std::optional<Pair>, core::Failure> read_pair(const std::string& base) {
  core::Result<std::optional<std::string>, core::Failure> key_pem = read_small_file(base + ".key");
  if (!key_pem) return core::err(key_pem.error());
  core::Result<std::optional<std::string>, core::Failure> cert_pem = read_small_file(base + ".crt");
  if (!cert_pem) return core::err(cert_pem.error());
  if (!*key_pem || !*cert_pem) return std::optional<Pair>();
  Pair pair{parse_key(**key_pem), parse_cert(**cert_pem)};
  if (!pair.key || !pair.cert || X509_check_private_key(pair.cert.get(), pair.key.get()) != 1)
    return core::err(invalid(base + ".key and .crt do not belong together or are damaged"));
  return std::optional<Pair>(std::move(pair));
}

core::Result<void, core::Failure> write_pair(const std::string& base, const Pair& pair) {
  if (core::Result<void, core::Failure> done = write_private_file(base + ".key", to_pem(pair.key.get()));
      !done)
    return done;
  return write_private_file(base + ".crt", to_pem(pair.cert.get()));
}

core::Result<Pair, core::Failure> open_ca(core::WallTime now, const std::string& folder,
                                          const PrivateCaNames& names) {
  core::Result<std::optional<Pair>, core::Failure> found = read_pair(folder + "/ca");
  if (!found) return core::err(found.error());
  if (*found && !ends_within((*found)->cert.get(), now, kServerDays)) return std::move(**found);
  Pair made = make_ca(now, names);
  if (core::Result<void, core::Failure> done = write_pair(folder + "/ca", made); !done)
    return core::err(done.error());
  return made;
}

bool is_good_server(core::WallTime now, const Pair& server, const Pair& ca, const PrivateCaNames& names) {
  X509* cert = server.cert.get();
  if (ends_within(cert, now, kRenewDays) || X509_verify(cert, ca.key.get()) != 1) return false;
  for (const std::string& name : wanted_names(names))
    if (!covers(cert, name)) return false;
  return true;
}

}  // namespace

core::Result<TlsIdentity, core::Failure> open_private_identity(core::WallTime now, const std::string& folder,
                                                               const PrivateCaNames& names) {
  if (core::Result<void, core::Failure> made = make_private_folder(folder); !made)
    return core::err(made.error());
  core::Result<Pair, core::Failure> ca = open_ca(now, folder, names);
  if (!ca) return core::err(ca.error());
  // A server key is worth nothing by itself: a damaged pair is simply made again.
  core::Result<std::optional<Pair>, core::Failure> found = read_pair(folder + "/server");
  const bool good = found && *found && is_good_server(now, **found, *ca, names);
  ERR_clear_error();
  Pair server = good ? std::move(**found) : make_server(now, *ca, names);
  if (!good)
    if (core::Result<void, core::Failure> done = write_pair(folder + "/server", server); !done)
      return core::err(done.error());
  TlsIdentity identity;
  identity.ca_pem = to_pem(ca->cert.get());
  identity.chain_pem = to_pem(server.cert.get()) + identity.ca_pem;
  identity.key_pem = to_pem(server.key.get());
  identity.ca_fingerprint = fingerprint_of(ca->cert.get());
  identity.not_after = end_of(server.cert.get());
  identity.made_now = !good;
  return identity;
}

core::Result<TlsIdentity, core::Failure> open_own_identity(core::WallTime now, const std::string& cert_file,
                                                           const std::string& key_file) {
  TlsIdentity identity;
  for (auto [file, text] :
       {std::pair(&cert_file, &identity.chain_pem), std::pair(&key_file, &identity.key_pem)}) {
    core::Result<std::optional<std::string>, core::Failure> read = read_small_file(*file);
    if (!read) return core::err(read.error());
    if (!*read)
      return core::err(core::Failure{std::make_error_code(std::errc::no_such_file_or_directory), *file});
    *text = std::move(**read);
  }
  const Cert cert = parse_cert(identity.chain_pem);
  const Key key = parse_key(identity.key_pem);
  if (!cert) return core::err(invalid(cert_file + " holds no certificate in PEM form"));
  if (!key) return core::err(invalid(key_file + " holds no unencrypted private key in PEM form"));
  if (X509_check_private_key(cert.get(), key.get()) != 1)
    return core::err(invalid(key_file + " is not the key of " + cert_file));
  if (ends_within(cert.get(), now, 0)) return core::err(invalid(cert_file + " has run out"));
  identity.not_after = end_of(cert.get());
  return identity;
}

}  // namespace huitang::api
