#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "dtls/client_hello.h"
#include "dtls/test_support.h"

namespace huitang::dtls {
namespace {

using crypto::SrtpProfile;
using test::Pair;
using test::Weather;

template <class T>
const T* find(const std::vector<Event>& events) {
  for (const Event& event : events) {
    if (const T* found = std::get_if<T>(&event)) return found;
  }
  return nullptr;
}

void expect_connected(Pair& pair, SrtpProfile profile = SrtpProfile::AeadAes128Gcm) {
  const auto* server = find<Connected>(pair.server_events());
  const auto* client = find<Connected>(pair.client_events());
  ASSERT_NE(server, nullptr);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(server->inbound, client->outbound);
  EXPECT_EQ(server->outbound, client->inbound);
  EXPECT_NE(server->inbound, server->outbound);
  EXPECT_NE(server->inbound.key, decltype(server->inbound.key){});
  EXPECT_EQ(server->inbound.profile, profile);
  EXPECT_EQ(pair.server().snapshot().profile, profile);
}

TEST(DtlsEndpoint, connects_and_both_sides_hold_the_same_keys) {
  Pair pair;
  pair.start();
  pair.run();
  expect_connected(pair);
  EXPECT_EQ(pair.server().deadline(), std::nullopt);
  EXPECT_EQ(pair.client().deadline(), std::nullopt);
  EXPECT_EQ(pair.server().snapshot().counters.retransmissions, 0u);
  EXPECT_EQ(pair.client().snapshot().counters.retransmissions, 0u);
  EXPECT_LE(pair.largest_datagram, 1200u);
}

TEST(DtlsEndpoint, keeps_to_a_small_mtu) {
  Config server = Pair::server_config(), client = Pair::client_config();
  server.mtu = client.mtu = 400;
  Pair pair(server, client);
  pair.start();
  pair.run();
  expect_connected(pair);
  EXPECT_LE(pair.largest_datagram, 400u);
}

TEST(DtlsEndpoint, connects_under_loss_duplication_and_reordering) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const Weather weather{25, 20, core::Duration::millis(20), core::Duration::millis(60)};
    Pair pair(Pair::server_config(), Pair::client_config(), weather, seed);
    pair.start();
    pair.run();
    expect_connected(pair);
  }
}

TEST(DtlsEndpoint, repeats_a_lost_flight_by_virtual_time) {
  Pair pair;
  int dropped = 0;
  pair.from_client = [&](core::Buffer datagram) {
    return dropped++ < 3 ? std::vector<core::Buffer>{} : std::vector<core::Buffer>{std::move(datagram)};
  };
  const core::Instant begin = pair.now();
  pair.start();
  EXPECT_EQ(*pair.client().deadline() - begin, core::Duration::millis(100));
  pair.run();
  expect_connected(pair);
  EXPECT_EQ(pair.client().snapshot().counters.retransmissions, 3u);
  // 100 + 200 + 400 ms of waiting and two round trips.
  EXPECT_EQ(pair.now() - begin, core::Duration::millis(740));
}

TEST(DtlsEndpoint, a_repeated_client_hello_does_not_disturb_the_handshake) {
  Pair pair;
  pair.from_client = [](core::Buffer datagram) { return std::vector<core::Buffer>(4, datagram); };
  pair.start();
  pair.run();
  expect_connected(pair);
}

TEST(DtlsEndpoint, takes_a_client_hello_in_pieces_in_any_order) {
  for (size_t pieces = 2; pieces <= 4; ++pieces) {
    std::vector<size_t> order(pieces);
    for (size_t i = 0; i < pieces; ++i) order[i] = i;
    do {
      Pair pair;
      bool cut = false;
      pair.from_client = [&](core::Buffer datagram) {
        if (!test::is_client_hello(datagram)) return std::vector<core::Buffer>{std::move(datagram)};
        cut = true;
        const auto in_order = test::cut_client_hello(datagram, pieces);
        std::vector<core::Buffer> out;
        for (const size_t i : order) {
          out.push_back(in_order[i]);
          out.push_back(in_order[order[0]]);  // and one of them again and again
        }
        return out;
      };
      pair.start();
      pair.run();
      expect_connected(pair);
      EXPECT_TRUE(cut);
      EXPECT_EQ(pair.client().snapshot().counters.retransmissions, 0u);
    } while (std::ranges::next_permutation(order).found);
  }
}

TEST(DtlsEndpoint, takes_a_client_hello_in_pieces_under_loss) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    const Weather weather{25, 10, core::Duration::millis(5), core::Duration::millis(150)};
    Pair pair(Pair::server_config(), Pair::client_config(), weather, seed);
    pair.from_client = [&](core::Buffer datagram) {
      if (!test::is_client_hello(datagram)) return std::vector<core::Buffer>{std::move(datagram)};
      return test::cut_client_hello(datagram, 3);
    };
    pair.start();
    pair.run();
    expect_connected(pair);
  }
}

TEST(DtlsEndpoint, a_server_answers_nothing_before_the_client_hello_is_whole) {
  Pair pair;
  pair.from_client = [](core::Buffer datagram) {
    auto pieces = test::cut_client_hello(datagram, 3);
    pieces.pop_back();
    return pieces;
  };
  pair.start();
  pair.run(core::Duration::seconds(2));
  EXPECT_EQ(pair.server().snapshot().counters.datagrams_out, 0u);
  EXPECT_GT(pair.server().snapshot().buffered_client_hello, 0u);
}

TEST(DtlsEndpoint, refuses_a_certificate_that_was_not_announced) {
  for (const bool server_checks : {true, false}) {
    Config server = Pair::server_config(), client = Pair::client_config();
    (server_checks ? server : client).remote_fingerprints[0].digest[31] ^= 1;
    Pair pair(server, client);
    pair.start();
    pair.run();
    auto& checker = server_checks ? pair.server_events() : pair.client_events();
    auto& other = server_checks ? pair.client_events() : pair.server_events();
    ASSERT_EQ(checker.size(), 1u);
    ASSERT_NE(find<Failed>(checker), nullptr);
    EXPECT_EQ(find<Failed>(checker)->reason, FailureReason::WrongFingerprint);
    EXPECT_EQ(find<Connected>(other), nullptr);
    ASSERT_NE(find<Failed>(other), nullptr);  // told by an alert
    EXPECT_EQ(find<Failed>(other)->reason, FailureReason::Protocol);
  }
}

TEST(DtlsEndpoint, refuses_everyone_when_no_fingerprint_was_announced) {
  Config server = Pair::server_config();
  server.remote_fingerprints.clear();
  Pair pair(server);
  pair.start();
  pair.run();
  ASSERT_NE(find<Failed>(pair.server_events()), nullptr);
  EXPECT_EQ(find<Failed>(pair.server_events())->reason, FailureReason::WrongFingerprint);
}

Fingerprint fingerprint_with(HashAlgorithm algorithm, const Identity& identity) {
  const std::string pem = identity.to_pem();
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> in(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
  const std::unique_ptr<X509, decltype(&X509_free)> x509(
      PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), &X509_free);
  core::Buffer digest(digest_size(algorithm));
  unsigned size = 0;
  EXPECT_EQ(X509_digest(x509.get(), algorithm == HashAlgorithm::Sha384 ? EVP_sha384() : EVP_sha512(),
                        digest.data(), &size),
            1);
  return {algorithm, digest};
}

TEST(DtlsEndpoint, takes_any_of_several_fingerprints_of_any_hash) {
  for (const HashAlgorithm algorithm : {HashAlgorithm::Sha384, HashAlgorithm::Sha512}) {
    Config server = Pair::server_config();
    server.remote_fingerprints = {test::identity(0).fingerprint(),
                                  fingerprint_with(algorithm, test::identity(1))};
    Pair pair(server);
    pair.start();
    pair.run();
    expect_connected(pair);
  }
}

TEST(DtlsEndpoint, negotiates_the_profile_that_the_server_likes_best) {
  constexpr SrtpProfile kAll[] = {SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm,
                                  SrtpProfile::Aes128CmHmacSha1_80};
  const auto subset = [&](unsigned bits, bool reversed) {
    std::vector<SrtpProfile> out;
    for (unsigned i = 0; i < 3; ++i) {
      if (bits >> i & 1) out.push_back(kAll[i]);
    }
    if (reversed) std::ranges::reverse(out);
    return out;
  };
  for (unsigned server_bits = 1; server_bits < 8; ++server_bits) {
    for (unsigned client_bits = 1; client_bits < 8; ++client_bits) {
      SCOPED_TRACE(server_bits * 10 + client_bits);
      Config server = Pair::server_config(), client = Pair::client_config();
      server.profiles = subset(server_bits, server_bits % 2 == 0);
      client.profiles = subset(client_bits, true);
      Pair pair(server, client);
      pair.start();
      pair.run();
      const auto best = std::ranges::find_if(
          server.profiles, [&](SrtpProfile p) { return std::ranges::count(client.profiles, p) != 0; });
      if (best != server.profiles.end()) {
        expect_connected(pair, *best);
      } else {
        ASSERT_NE(find<Failed>(pair.server_events()), nullptr);
        EXPECT_EQ(find<Failed>(pair.server_events())->reason, FailureReason::NoCommonProfile);
        EXPECT_EQ(find<Connected>(pair.client_events()), nullptr);
      }
    }
  }
}

TEST(DtlsEndpoint, close_notify_ends_both_sides) {
  for (const bool by_server : {true, false}) {
    Pair pair;
    pair.start();
    pair.run();
    (by_server ? pair.server() : pair.client()).close(pair.now());
    pair.run();
    EXPECT_EQ(pair.server().state(), State::Closed);
    EXPECT_EQ(pair.client().state(), State::Closed);
    EXPECT_NE(find<Closed>(pair.server_events()), nullptr);
    EXPECT_NE(find<Closed>(pair.client_events()), nullptr);
    pair.server().handle_datagram(pair.now(), core::Buffer{22, 0xfe, 0xfd});
    EXPECT_EQ(pair.server().snapshot().counters.dropped_in, by_server ? 2u : 1u);
  }
}

TEST(DtlsEndpoint, gives_up_when_nobody_answers) {
  Pair pair;
  pair.from_client = [](core::Buffer) { return std::vector<core::Buffer>{}; };
  pair.start();
  pair.run();
  ASSERT_NE(find<Failed>(pair.client_events()), nullptr);
  EXPECT_EQ(find<Failed>(pair.client_events())->reason, FailureReason::Timeout);
  EXPECT_EQ(pair.now() - core::Instant::from_nanos(1'000'000'000), core::Duration::seconds(30));
}

TEST(DtlsEndpoint, bytes_that_are_not_dtls_are_dropped) {
  Pair pair;
  for (const core::Buffer& junk :
       {core::Buffer{}, core::Buffer{0x80, 1, 2}, core::Buffer{19}, core::Buffer{64}}) {
    pair.server().handle_datagram(pair.now(), junk);
  }
  EXPECT_EQ(pair.server().state(), State::New);
  EXPECT_EQ(pair.server().snapshot().counters.dropped_in, 4u);
  pair.start();
  pair.run();
  expect_connected(pair);
}

TEST(DtlsEndpoint, damaged_datagrams_do_not_end_a_handshake) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    core::SeededRandom random(seed);
    Pair pair;
    pair.from_client = [&](core::Buffer datagram) {
      core::Buffer junk(1 + random.below(200));
      random.fill(junk);
      junk[0] = 23;  // application data before there are keys
      return std::vector<core::Buffer>{junk, std::move(datagram), junk};
    };
    pair.start();
    pair.run();
    expect_connected(pair);
  }
}

TEST(DtlsIdentity, survives_storing) {
  const Identity& original = test::identity(0);
  const auto copy = Identity::from_pem(original.to_pem());
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(copy->fingerprint(), original.fingerprint());
  EXPECT_EQ(copy->to_pem(), original.to_pem());
}

TEST(DtlsIdentity, differs_each_time) {
  EXPECT_NE(test::identity(0).fingerprint(), test::identity(1).fingerprint());
}

TEST(DtlsIdentity, refuses_text_that_is_no_identity) {
  const std::string pem = test::identity(0).to_pem();
  EXPECT_FALSE(Identity::from_pem("").has_value());
  EXPECT_FALSE(Identity::from_pem(pem.substr(0, pem.size() / 2)).has_value());
  const std::string other = test::identity(1).to_pem();
  const size_t cut = pem.find("-----BEGIN CERTIFICATE");
  const size_t other_cut = other.find("-----BEGIN CERTIFICATE");
  EXPECT_FALSE(Identity::from_pem(pem.substr(0, cut) + other.substr(other_cut)).has_value());
}

TEST(DtlsFingerprint, text_form_is_that_of_sdp) {
  const Fingerprint& fingerprint = test::identity(0).fingerprint();
  const std::string text = to_string(fingerprint);
  EXPECT_THAT(text, testing::MatchesRegex("sha-256 ([0-9A-F][0-9A-F]:){31}[0-9A-F][0-9A-F]"));
  EXPECT_EQ(parse_fingerprint(text), fingerprint);
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  EXPECT_EQ(parse_fingerprint(lower), fingerprint);
  EXPECT_EQ(parse_fingerprint("SHA" + text.substr(3)), fingerprint);
}

TEST(DtlsFingerprint, malformed_text_and_weak_hashes_are_refused) {
  const std::string text = to_string(test::identity(0).fingerprint());
  for (const std::string& bad :
       {std::string(), std::string("sha-256"), text.substr(0, text.size() - 1), text + ":00",
        "sha-1" + text.substr(7), "sha-384" + text.substr(7), text.substr(0, 10) + "-" + text.substr(11),
        text.substr(0, 9) + "G" + text.substr(10), "sha-256 " + text.substr(7)}) {
    EXPECT_EQ(parse_fingerprint(bad), std::nullopt) << bad;
  }
}

TEST(ClientHelloAssembler, refuses_fragments_outside_the_message_and_messages_over_the_cap) {
  const auto record = [](uint32_t length, uint32_t offset, uint32_t fragment, size_t carried) {
    core::Buffer out(25 + carried);
    core::ByteWriter w(out);
    w.u8(22), w.u16(0xfefd), w.u16(0), w.u16(0), w.u32(0), w.u16(static_cast<uint16_t>(12 + carried));
    w.u8(1), w.u24(length), w.u16(0), w.u24(offset), w.u24(fragment);
    return out;
  };
  ClientHelloAssembler assembler;
  EXPECT_EQ(assembler.add(record(100, 90, 20, 20)), std::nullopt);
  EXPECT_EQ(assembler.add(record(100, 101, 0, 0)), std::nullopt);
  EXPECT_EQ(assembler.add(record(100, 0, 20, 10)), std::nullopt);
  EXPECT_EQ(assembler.add(record(16'001, 0, 10, 10)), std::nullopt);
  EXPECT_EQ(assembler.add(record(0, 0, 0, 0)), std::nullopt);
  EXPECT_EQ(assembler.dropped(), 5u);
  EXPECT_EQ(assembler.buffered(), 0u);
  EXPECT_EQ(assembler.add(record(20, 0, 20, 20)), record(20, 0, 20, 20));
}

TEST(ClientHelloAssembler, takes_several_fragments_in_one_record_and_several_records_in_one_datagram) {
  core::Buffer hello(25 + 300);
  core::SeededRandom random(1);
  random.fill(core::MutableBytes(hello).subspan(25));
  core::ByteWriter w(hello);
  w.u8(22), w.u16(0xfefd), w.u16(0), w.u16(0), w.u32(7), w.u16(312);
  w.u8(1), w.u24(300), w.u16(0), w.u24(0), w.u24(300);
  auto pieces = test::cut_client_hello(hello, 3);
  core::Buffer datagram = pieces[2];
  datagram.insert(datagram.end(), pieces[0].begin(), pieces[0].end());
  // The middle one moves into the record of the first.
  datagram.insert(datagram.end(), pieces[1].begin() + 13, pieces[1].end());
  uint8_t* second_record = datagram.data() + pieces[2].size();
  core::store_u16(second_record + 11, static_cast<uint16_t>(2 * 112));
  ClientHelloAssembler assembler;
  EXPECT_EQ(assembler.add(datagram), hello);
  EXPECT_EQ(assembler.dropped(), 0u);
}

TEST(ClientHelloAssembler, a_client_that_began_anew_replaces_its_first_try) {
  core::Buffer hello(25 + 200);
  core::SeededRandom random(1);
  random.fill(core::MutableBytes(hello).subspan(25));
  core::ByteWriter w(hello);
  w.u8(22), w.u16(0xfefd), w.u16(0), w.u16(0), w.u32(7), w.u16(212);
  w.u8(1), w.u24(200), w.u16(0), w.u24(0), w.u24(200);
  core::Buffer other = hello;
  core::store_u16(other.data() + 17, 1);  // message_seq
  core::store_u32(other.data() + 7, 8);   // record number
  const auto first = test::cut_client_hello(hello, 2), second = test::cut_client_hello(other, 2);
  ClientHelloAssembler assembler;
  EXPECT_EQ(assembler.add(first[0]), std::nullopt);
  EXPECT_EQ(assembler.add(second[1]), std::nullopt);
  const auto whole = assembler.add(second[0]);
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(core::load_u32(whole->data() + 7), 8u);
  EXPECT_TRUE(std::equal(whole->begin() + 25, whole->end(), other.begin() + 25));
}

}  // namespace
}  // namespace huitang::dtls
