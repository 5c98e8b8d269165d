// The portable back-end: EVP contexts that keep their key schedule; a packet only sets an IV.
#include <openssl/evp.h>

#include <memory>

#include "core/check.h"
#include "srtp/backend.h"
#include "srtp/backends.h"
#include "srtp/hmac_sha1.h"

namespace huitang::srtp {
namespace {

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

Context make_context(const EVP_CIPHER* cipher, core::Bytes key) {
  Context context(EVP_CIPHER_CTX_new());
  HUITANG_CHECK(context != nullptr);
  HUITANG_CHECK(EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), nullptr) == 1);
  return context;
}

class EvpAead final : public Aead {
 public:
  explicit EvpAead(core::Bytes key)
      : context_(make_context(key.size() == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm(), key)) {}

  void seal(const Iv& iv, core::Bytes aad, core::Bytes plain, uint8_t* out) override {
    begin(iv, aad, 1);
    run(plain, out);
    int size = 0;
    HUITANG_CHECK(EVP_CipherFinal_ex(context_.get(), out + plain.size(), &size) == 1);
    HUITANG_CHECK(
        EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, out + plain.size()) == 1);
  }

  bool open(const Iv& iv, core::Bytes aad, core::MutableBytes sealed) override {
    const core::MutableBytes body = sealed.first(sealed.size() - kAeadTagSize);
    begin(iv, aad, 0);
    run(body, body.data());
    int size = 0;
    uint8_t none[kAeadTagSize];
    HUITANG_CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagSize,
                                      sealed.data() + body.size()) == 1);
    return EVP_CipherFinal_ex(context_.get(), none, &size) == 1;
  }

 private:
  void begin(const Iv& iv, core::Bytes aad, int encrypt) {
    int size = 0;
    HUITANG_CHECK(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, iv.data(), encrypt) == 1);
    HUITANG_CHECK(
        EVP_CipherUpdate(context_.get(), nullptr, &size, aad.data(), static_cast<int>(aad.size())) == 1);
  }
  void run(core::Bytes in, uint8_t* out) {
    int size = 0;
    if (in.empty()) return;
    HUITANG_CHECK(EVP_CipherUpdate(context_.get(), out, &size, in.data(), static_cast<int>(in.size())) == 1);
  }
  Context context_;
};

class EvpCounterMac final : public CounterMac {
 public:
  EvpCounterMac(core::Bytes key, core::Bytes auth_key)
      : context_(make_context(EVP_aes_128_ctr(), key)), hmac_(auth_key) {}

  void crypt(const Iv& iv, core::Bytes in, uint8_t* out) override {
    if (in.empty()) return;
    int size = 0;
    HUITANG_CHECK(EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, iv.data()) == 1);
    HUITANG_CHECK(EVP_EncryptUpdate(context_.get(), out, &size, in.data(), static_cast<int>(in.size())) == 1);
  }
  Tag mac(core::Bytes message, uint32_t suffix) override {
    std::array<uint8_t, 4> bytes;
    core::store_u32(bytes.data(), suffix);
    return hmac_.compute(message, bytes);
  }
  Tag mac(core::Bytes message) override { return hmac_.compute(message, {}); }

 private:
  Context context_;
  HmacSha1 hmac_;
};

class OpenSslBackend final : public Backend {
 public:
  BackendKind kind() const override { return BackendKind::OpenSsl; }
  const char* name() const override { return "OpenSSL EVP"; }
  std::unique_ptr<Aead> make_aead(core::Bytes key) override { return std::make_unique<EvpAead>(key); }
  std::unique_ptr<CounterMac> make_counter_mac(core::Bytes key, core::Bytes auth_key) override {
    return std::make_unique<EvpCounterMac>(key, auth_key);
  }
};

}  // namespace

std::unique_ptr<Backend> make_openssl_backend() { return std::make_unique<OpenSslBackend>(); }

}  // namespace huitang::srtp
