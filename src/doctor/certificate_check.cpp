#include "doctor/certificate_check.h"

namespace huitang::doctor {

namespace {

constexpr int64_t kDay = 24LL * 3600 * 1000;
constexpr int64_t kSoon = 21;  // days; our own authority renews 30 before the end
constexpr std::string_view kId = "certificate";

/// What to do when the certificate itself is of no use.
Words replacement(const CertificateFacts& facts) {
  if (facts.is_private)
    return {
        "重启 huitang-serve，它会自己签发新证书；如仍不行，请核对本机时间",
        "Restart huitang-serve, which makes a new one by itself; if that does not help, look at the clock"};
  return {"把新证书（含证书链）和私钥放到 tls.cert、tls.key 所指的文件，再重启 huitang-serve",
          "Put a new certificate with its chain, and its key, where tls.cert and tls.key point, and restart "
          "huitang-serve"};
}

Finding error(const CertificateFacts& facts, Words what) {
  return {kId, Grade::Error, std::move(what), replacement(facts)};
}

}  // namespace

Finding check_certificate(const CertificateFacts& facts, core::WallTime now) {
  const int64_t left = (facts.not_after.to_unix_millis() - now.to_unix_millis()) / kDay;
  if (!facts.is_readable)
    return error(facts, {"证书文件 " + facts.file + " 不存在或读不了",
                         "The certificate " + facts.file + " is not there or cannot be read"});
  if (!facts.is_parsed) return error(facts, {facts.file + " 不是证书", facts.file + " is not a certificate"});
  if (!facts.fits_key)
    return error(facts, {"证书与私钥不配", "The certificate and the private key do not belong together"});
  if (now > facts.not_after)
    return error(
        facts, {"证书已过期，浏览器会拒绝打开页面", "The certificate has expired; browsers refuse the page"});
  if (now < facts.not_before)
    return error(facts, {"证书尚未生效（多半是本机时间错了）",
                         "The certificate is not valid yet (most likely the clock is wrong)"});
  if (!facts.names_public_address)
    return error(facts, {"证书里没有地址 " + facts.public_address + "，浏览器会警告",
                         "The certificate does not name " + facts.public_address + ", so browsers warn"});
  if (facts.is_served == false)
    return {kId,
            Grade::Warning,
            {"文件里的证书与服务正在用的不同", "The certificate in the file is not the one that is served"},
            {"重启 huitang-serve 让它读新证书（会议不断）",
             "Restart huitang-serve so that it reads the new one (meetings go on)"}};
  if (left < kSoon)
    return {kId,
            Grade::Warning,
            {"证书还有 " + std::to_string(left) + " 天到期",
             "The certificate expires in " + std::to_string(left) + " days"},
            replacement(facts)};
  return {kId,
          Grade::Ok,
          {"证书有效，还有 " + std::to_string(left) + " 天",
           "The certificate is valid for " + std::to_string(left) + " more days"},
          {}};
}

}  // namespace huitang::doctor
