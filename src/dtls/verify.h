// What Identity's context and Endpoint share. Private to this folder.
#pragma once

struct x509_st;

namespace huitang::dtls {

/// Who judges the remote certificate; hung on each SSL as its application data.
class CertificateJudge {
 public:
  virtual bool accepts(const x509_st& certificate) = 0;

 protected:
  ~CertificateJudge() = default;
};

}  // namespace huitang::dtls
