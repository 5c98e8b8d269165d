#include "srtp/packet_cipher.h"

#include <algorithm>

namespace huitang::srtp {

PacketCipher::PacketCipher(Backend& backend, const KeyMaterial& master, PacketKind kind)
    : PacketCipher(backend, master.profile, derive_session_keys(master, kind)) {}

PacketCipher::PacketCipher(Backend& backend, Profile profile, const SessionKeys& keys) {
  const core::Bytes key = core::Bytes(keys.cipher).first(crypto::srtp_key_size(profile));
  if (crypto::is_aead(profile)) {
    aead_ = backend.make_aead(key);
  } else {
    counter_mac_ = backend.make_counter_mac(key, keys.auth);
  }
  std::copy(keys.salt.begin(), keys.salt.end(), salt_.begin());
}

}  // namespace huitang::srtp
