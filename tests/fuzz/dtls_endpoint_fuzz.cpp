// A live handshake whose datagrams the input passes, drops, repeats, cuts, damages or accompanies with bytes
// of its own; then the same against the connected endpoints. Whatever happens, two endpoints that both
// connect hold equal keys.
#include <algorithm>

#include "core/check.h"
#include "dtls/test_support.h"

using namespace huitang;

namespace {

std::vector<core::Buffer> disturb(core::ByteReader& in, core::Buffer datagram) {
  if (in.remaining() == 0) return {std::move(datagram)};
  switch (in.u8() % 8) {
    case 0: return {};
    case 1: return {datagram, datagram};
    case 2: {
      const uint16_t at = in.u16();
      datagram[at % datagram.size()] ^= in.u8();
      return {std::move(datagram)};
    }
    case 3: {
      const core::Bytes own = in.take(std::min<size_t>(in.remaining(), in.u8()));
      return {core::Buffer(own.begin(), own.end()), std::move(datagram)};
    }
    case 4:
      if (!dtls::test::is_client_hello(datagram)) return {std::move(datagram)};
      return dtls::test::cut_client_hello(datagram, 1 + in.u8() % 4);
    case 5: datagram.resize(in.u16() % datagram.size()); return {std::move(datagram)};
    default: return {std::move(datagram)};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  core::ByteReader in({data, size});
  core::Instant now = core::Instant::from_nanos(1);
  dtls::Endpoint server(now, dtls::test::identity(0), dtls::test::Pair::server_config());
  dtls::Endpoint client(now, dtls::test::identity(1), dtls::test::Pair::client_config());
  std::optional<dtls::Connected> keys[2];
  client.start(now);
  for (int turn = 0; turn < 60; ++turn) {
    bool moved = false;
    for (dtls::Endpoint* from : {&client, &server}) {
      dtls::Endpoint& to = from == &client ? server : client;
      while (auto datagram = from->poll_transmit()) {
        moved = true;
        for (const core::Buffer& piece : disturb(in, std::move(*datagram))) to.handle_datagram(now, piece);
        HUITANG_CHECK(to.is_consistent() && from->is_consistent());
      }
      while (auto event = from->poll_event()) {
        if (const auto* connected = std::get_if<dtls::Connected>(&*event)) keys[from == &server] = *connected;
      }
    }
    if (moved) continue;
    if (in.remaining() > 0 && in.u8() == 0) client.close(now);
    const auto next = std::min(server.deadline().value_or(core::Instant::far_future()),
                               client.deadline().value_or(core::Instant::far_future()));
    if (next == core::Instant::far_future()) break;
    now = next;
    server.handle_deadline(now);
    client.handle_deadline(now);
  }
  if (keys[0] && keys[1])
    HUITANG_CHECK(keys[0]->inbound == keys[1]->outbound && keys[0]->outbound == keys[1]->inbound);
  return 0;
}
