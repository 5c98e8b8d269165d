#include "api/certificate.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>

namespace huitang::api {
namespace {

constexpr int64_t kDay = 86'400'000;

struct PrivateCa : testing::Test {
  PrivateCa() {
    std::string name = (std::filesystem::temp_directory_path() / "huitang-ca-XXXXXX").string();
    folder = mkdtemp(name.data());
  }
  ~PrivateCa() override { std::filesystem::remove_all(folder); }
  TlsIdentity open(int64_t days = 0, const std::string& address = "192.0.2.7") {
    const core::WallTime now = core::WallTime::from_unix_millis(1'800'000'000'000 + days * kDay);
    core::Result<TlsIdentity, core::Failure> identity =
        open_private_identity(now, folder, {address, "county-box"});
    EXPECT_TRUE(identity) << identity.error().context;
    return std::move(*identity);
  }
  using Cert = std::unique_ptr<X509, decltype(&X509_free)>;
  static Cert first_of(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    Cert cert(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), X509_free);
    BIO_free(bio);
    return cert;
  }
  std::string folder;
};

TEST_F(PrivateCa, names_every_address_people_may_use) {
  const Cert cert = first_of(open().chain_pem);
  for (const char* ip : {"192.0.2.7", "127.0.0.1", "::1"})
    EXPECT_EQ(X509_check_ip_asc(cert.get(), ip, 0), 1) << ip;
  for (const char* name : {"localhost", "county-box"})
    EXPECT_EQ(X509_check_host(cert.get(), name, 0, 0, nullptr), 1) << name;
  EXPECT_EQ(X509_check_ip_asc(cert.get(), "192.0.2.8", 0), 0);
}

TEST_F(PrivateCa, signs_with_its_own_authority) {
  const TlsIdentity identity = open();
  const Cert ca = first_of(identity.ca_pem), cert = first_of(identity.chain_pem);
  EXPECT_EQ(X509_verify(cert.get(), X509_get0_pubkey(ca.get())), 1);
  EXPECT_EQ(X509_check_ca(ca.get()), 1);
  EXPECT_EQ(X509_check_ca(cert.get()), 0);
  EXPECT_EQ(identity.ca_fingerprint.size(), 95u);
}

TEST_F(PrivateCa, stays_the_same_across_starts) {
  const TlsIdentity first = open();
  const TlsIdentity second = open(100);
  EXPECT_EQ(first.chain_pem, second.chain_pem);
  EXPECT_FALSE(second.made_now);
}

TEST_F(PrivateCa, renews_the_server_certificate_before_it_ends_and_keeps_the_authority) {
  const TlsIdentity first = open();
  EXPECT_TRUE(open(365).not_after == first.not_after);
  const TlsIdentity renewed = open(370);
  EXPECT_TRUE(renewed.made_now);
  EXPECT_GT(renewed.not_after, first.not_after);
  EXPECT_EQ(renewed.ca_pem, first.ca_pem);
}

TEST_F(PrivateCa, makes_a_new_server_certificate_when_the_address_changes) {
  const TlsIdentity first = open();
  const TlsIdentity moved = open(1, "meet.county.example");
  EXPECT_TRUE(moved.made_now);
  EXPECT_EQ(moved.ca_pem, first.ca_pem);
  EXPECT_EQ(X509_check_host(first_of(moved.chain_pem).get(), "meet.county.example", 0, 0, nullptr), 1);
}

TEST_F(PrivateCa, keeps_keys_to_its_owner) {
  open();
  for (const char* file : {"ca.key", "ca.crt", "server.key", "server.crt"}) {
    struct stat info {};
    ASSERT_EQ(stat((folder + "/" + file).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << file;
  }
}

TEST_F(PrivateCa, refuses_a_damaged_authority_rather_than_making_another) {
  open();
  std::ofstream(folder + "/ca.key") << "garbage";
  const core::WallTime now = core::WallTime::from_unix_millis(1'800'000'000'000);
  EXPECT_FALSE(open_private_identity(now, folder, {"192.0.2.7", "county-box"}));
}

TEST_F(PrivateCa, mends_a_damaged_server_certificate) {
  open();
  std::ofstream(folder + "/server.crt") << "garbage";
  EXPECT_TRUE(open().made_now);
}

TEST_F(PrivateCa, serves_as_the_offices_own_certificate_too_but_not_after_its_end) {
  open();
  const std::string cert = folder + "/server.crt", key = folder + "/server.key";
  const auto at = [](int64_t days) {
    return core::WallTime::from_unix_millis(1'800'000'000'000 + days * kDay);
  };
  EXPECT_TRUE(open_own_identity(at(1), cert, key));
  EXPECT_FALSE(open_own_identity(at(400), cert, key));
  EXPECT_FALSE(open_own_identity(at(1), cert, folder + "/ca.key"));
  EXPECT_FALSE(open_own_identity(at(1), cert, folder + "/none.key"));
}

}  // namespace
}  // namespace huitang::api
