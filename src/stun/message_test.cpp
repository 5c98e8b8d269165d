#include "stun/message.h"

#include <gtest/gtest.h>

#include <string>

#include "core/random.h"
#include "crypto/hash.h"

namespace huitang::stun {
namespace {

using core::as_bytes;
using core::Buffer;
using core::Bytes;
using core::IpAddress;
using core::ParseError;
using core::SocketAddress;

Buffer from_hex(std::string_view text) {
  Buffer out;
  int digits = 0, value = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    if (++digits % 2 == 0) {
      out.push_back(static_cast<uint8_t>(value));
      value = 0;
    }
  }
  return out;
}

constexpr std::string_view kRfc5769Password = "VOkJxbRl1RmTxUk/WvJxBt";

const Buffer& rfc5769_request() {
  static const Buffer bytes = from_hex(R"(
      00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
      80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74
      00 24 00 04 6e 00 01 ff
      80 29 00 08 93 2f f9 b1 51 26 3b 36
      00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
      00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2
      80 28 00 04 e5 7a 3b cf)");
  return bytes;
}

const Buffer& rfc5769_response_v4() {
  static const Buffer bytes = from_hex(R"(
      01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
      80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
      00 20 00 08 00 01 a1 47 e1 12 a6 43
      00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
      80 28 00 04 c0 7d 4c 96)");
  return bytes;
}

const Buffer& rfc5769_response_v6() {
  static const Buffer bytes = from_hex(R"(
      01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
      80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
      00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
      00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41
      80 28 00 04 c8 fb 0b 4c)");
  return bytes;
}

const Buffer& rfc5769_long_term_request() {
  static const Buffer bytes = from_hex(R"(
      00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e
      00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83 e3 82 af e3 82 b9 00 00
      00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41
      00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00
      00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66)");
  return bytes;
}

MessageView parsed(Bytes bytes) {
  auto view = MessageView::parse(bytes);
  EXPECT_TRUE(view.has_value());
  return view ? *view : MessageView();
}

constexpr TransactionId kTransaction{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

// One attribute as bytes, padded, to build messages that the writer would not write.
Buffer attribute(uint16_t type, Bytes value, uint8_t padding = 0) {
  Buffer out(4 + value.size());
  core::ByteWriter writer(out);
  writer.u16(type);
  writer.u16(static_cast<uint16_t>(value.size()));
  writer.bytes(value);
  while (out.size() % 4 != 0) out.push_back(padding);
  return out;
}

Buffer message_of(std::initializer_list<Buffer> attributes) {
  Buffer out = from_hex("0001 0000 2112a442 0102030405060708090a0b0c");
  for (const Buffer& a : attributes) out.insert(out.end(), a.begin(), a.end());
  core::store_u16(&out[2], static_cast<uint16_t>(out.size() - kHeaderSize));
  return out;
}

TEST(StunMessage, reads_the_request_of_rfc_5769) {
  const MessageView view = parsed(rfc5769_request());
  EXPECT_EQ(view.message_class, MessageClass::Request);
  EXPECT_EQ(view.method, kBindingMethod);
  EXPECT_EQ(view.username, "evtj:h6vY");
  EXPECT_EQ(view.software, "STUN test client");
  EXPECT_EQ(view.priority, 0x6e0001ffu);
  EXPECT_EQ(view.ice_controlled, 0x932ff9b151263b36u);
  EXPECT_FALSE(view.ice_controlling.has_value());
  EXPECT_FALSE(view.use_candidate);
  EXPECT_TRUE(view.has_fingerprint);
  EXPECT_TRUE(view.unknown_required().empty());
  EXPECT_EQ(view.check_integrity(as_bytes(kRfc5769Password)), Integrity::Right);
  EXPECT_EQ(view.check_integrity(as_bytes("another")), Integrity::Wrong);
  EXPECT_EQ(view.check_integrity_sha256(as_bytes(kRfc5769Password)), Integrity::Absent);
}

TEST(StunMessage, reads_the_responses_of_rfc_5769) {
  const MessageView v4 = parsed(rfc5769_response_v4());
  EXPECT_EQ(v4.message_class, MessageClass::SuccessResponse);
  EXPECT_EQ(v4.software, "test vector");
  EXPECT_EQ(v4.xor_mapped_address, (SocketAddress{IpAddress::v4(192, 0, 2, 1), 32853}));
  EXPECT_EQ(v4.check_integrity(as_bytes(kRfc5769Password)), Integrity::Right);

  const MessageView v6 = parsed(rfc5769_response_v6());
  EXPECT_EQ(v6.xor_mapped_address,
            (SocketAddress{*core::parse_ip("2001:db8:1234:5678:11:2233:4455:6677"), 32853}));
  EXPECT_EQ(v6.check_integrity(as_bytes(kRfc5769Password)), Integrity::Right);
}

TEST(StunMessage, reads_the_long_term_request_of_rfc_5769) {
  const MessageView view = parsed(rfc5769_long_term_request());
  EXPECT_EQ(view.username, "\u30de\u30c8\u30ea\u30c3\u30af\u30b9");
  EXPECT_EQ(view.nonce, "f//499k954d6OL34oL9FSTvy64sA");
  EXPECT_EQ(view.realm, "example.org");
  EXPECT_FALSE(view.has_fingerprint);
  // MD5 of "username:realm:TheMatrIX", which is the key there.
  EXPECT_EQ(view.check_integrity(from_hex("e8ca7ad59d5eb0518e312911d2dab2a9")), Integrity::Right);
}

TEST(StunMessage, notices_every_changed_bit_of_an_authenticated_message) {
  // Padding bytes are covered too; only the fingerprint behind the integrity may become another, ignored
  // attribute.
  for (const Buffer* vector : {&rfc5769_request(), &rfc5769_response_v4(), &rfc5769_long_term_request()}) {
    const size_t covered = vector->size() - (vector == &rfc5769_long_term_request() ? 0 : 8);
    for (size_t bit = 0; bit < covered * 8; ++bit) {
      Buffer changed = *vector;
      changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      const auto view = MessageView::parse(changed);
      const Buffer long_term_key = from_hex("e8ca7ad59d5eb0518e312911d2dab2a9");
      const Bytes key =
          vector == &rfc5769_long_term_request() ? Bytes(long_term_key) : as_bytes(kRfc5769Password);
      EXPECT_FALSE(view.has_value() && view->check_integrity(key) == Integrity::Right) << bit;
    }
  }
}

TEST(StunMessage, is_truncated_at_every_length_but_its_own) {
  const Buffer& whole = rfc5769_request();
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(MessageView::parse(Bytes(whole).first(n)).has_value()) << n;
  }
  Buffer longer = whole;
  longer.resize(whole.size() + 4);
  EXPECT_FALSE(MessageView::parse(longer).has_value());
}

TEST(StunMessage, is_told_from_dtls_and_rtp) {
  EXPECT_TRUE(looks_like_stun(rfc5769_request()));
  for (const uint8_t first : {uint8_t{20}, uint8_t{63}}) {
    Buffer other = rfc5769_request();
    other[0] = first;
    EXPECT_TRUE(looks_like_stun(other));  // a type that no method uses, but STUN by RFC 8489 section 5
  }
  Buffer rtp = rfc5769_request();
  rtp[0] = 0x80;
  EXPECT_FALSE(looks_like_stun(rtp));
  Buffer cookieless = rfc5769_request();
  cookieless[4] = 0;
  EXPECT_FALSE(looks_like_stun(cookieless));
}

TEST(StunMessage, keeps_the_first_of_duplicate_attributes) {
  const Buffer bytes =
      message_of({attribute(0x0006, as_bytes("first")), attribute(0x0006, as_bytes("second")),
                  attribute(0x0024, from_hex("00000001")), attribute(0x0024, from_hex("00000002"))});
  const MessageView view = parsed(bytes);
  EXPECT_EQ(view.username, "first");
  EXPECT_EQ(view.priority, 1u);
}

TEST(StunMessage, ignores_what_stands_behind_the_integrity_except_the_fingerprint) {
  Buffer out(256);
  MessageWriter writer(out, {MessageClass::Request, kTransaction});
  writer.priority(7);
  const Bytes authentic = writer.finish(as_bytes("key"));
  Buffer bytes(authentic.begin(), authentic.end() - 8);
  for (const Buffer& extra : {attribute(0x0025, {}), attribute(0x0006, as_bytes("mallory")),
                              attribute(0x7fff, as_bytes("?")), attribute(0x0008, Buffer(20, 9))}) {
    bytes.insert(bytes.end(), extra.begin(), extra.end());
  }
  core::store_u16(&bytes[2], static_cast<uint16_t>(bytes.size() - kHeaderSize));
  const MessageView view = parsed(bytes);
  EXPECT_EQ(view.check_integrity(as_bytes("key")), Integrity::Right);
  EXPECT_EQ(view.priority, 7u);
  EXPECT_FALSE(view.use_candidate);
  EXPECT_FALSE(view.username.has_value());
  EXPECT_TRUE(view.unknown_required().empty());
}

TEST(StunMessage, refuses_anything_behind_the_fingerprint) {
  Buffer out(256);
  MessageWriter writer(out, {MessageClass::Request, kTransaction});
  const Bytes whole = writer.finish_without_integrity();
  EXPECT_TRUE(MessageView::parse(whole).has_value());
  // The fingerprint covers the length too, so it has to be made for the longer message.
  Buffer bytes(whole.begin(), whole.end());
  core::store_u16(&bytes[2], static_cast<uint16_t>(core::load_u16(&bytes[2]) + 4));
  core::store_u32(&bytes[24], crypto::crc32(Bytes(bytes).first(20)) ^ 0x5354554e);
  const Buffer extra = attribute(0x0025, {});
  bytes.insert(bytes.end(), extra.begin(), extra.end());
  const auto view = MessageView::parse(bytes);
  ASSERT_FALSE(view.has_value());
  EXPECT_EQ(view.error(), ParseError::Malformed);
}

TEST(StunMessage, reports_a_wrong_fingerprint) {
  Buffer bytes = rfc5769_request();
  bytes.back() ^= 1;
  const auto view = MessageView::parse(bytes);
  ASSERT_FALSE(view.has_value());
  EXPECT_EQ(view.error(), ParseError::BadChecksum);
}

TEST(StunMessage, checks_sha256_integrity_in_full_length_only) {
  const Buffer padding_text = attribute(0x0006, as_bytes("abc"), 0x20);
  Buffer bytes = message_of({padding_text, attribute(0x001c, Buffer(32))});
  const auto digest = crypto::hmac_sha256(as_bytes("key"), {Bytes(bytes).first(kHeaderSize + 8)});
  std::copy(digest.begin(), digest.end(), bytes.end() - 32);
  EXPECT_EQ(parsed(bytes).check_integrity_sha256(as_bytes("key")), Integrity::Right);
  EXPECT_EQ(parsed(bytes).check_integrity_sha256(as_bytes("kez")), Integrity::Wrong);

  bytes = message_of({padding_text, attribute(0x001c, Buffer(16))});
  const auto other = crypto::hmac_sha256(as_bytes("key"), {Bytes(bytes).first(kHeaderSize + 8)});
  std::copy_n(other.begin(), 16, bytes.end() - 16);
  EXPECT_EQ(parsed(bytes).check_integrity_sha256(as_bytes("key")), Integrity::Wrong);
}

TEST(StunMessage, lists_unknown_attributes_that_must_be_understood) {
  const Buffer bytes = message_of({attribute(0x7001, as_bytes("x")), attribute(0xc057, as_bytes("cost")),
                                   attribute(0x0003, from_hex("00000002"))});
  const MessageView view = parsed(bytes);
  const auto unknown = view.unknown_required();
  EXPECT_EQ(std::vector<uint16_t>(unknown.begin(), unknown.end()), (std::vector<uint16_t>{0x7001, 0x0003}));

  Buffer many = message_of({});
  for (int i = 0; i < 50; ++i) {
    const Buffer a = attribute(0x7002, {});
    many.insert(many.end(), a.begin(), a.end());
  }
  core::store_u16(&many[2], static_cast<uint16_t>(many.size() - kHeaderSize));
  const MessageView crowded = parsed(many);
  EXPECT_EQ(crowded.unknown_required().size(), MessageView::kMaxUnknown);
}

TEST(StunMessage, refuses_known_attributes_of_the_wrong_shape) {
  const Buffer wrong[] = {
      attribute(0x0024, from_hex("000001")),            // PRIORITY of 3 bytes
      attribute(0x0025, from_hex("00")),                // USE-CANDIDATE with a value
      attribute(0x8029, from_hex("00000001")),          // tie-breaker of 4 bytes
      attribute(0x0008, Buffer(19)),                    // HMAC-SHA1 of 19 bytes
      attribute(0x001c, Buffer(12)),                    // HMAC-SHA256 cut below 16 bytes
      attribute(0x8028, Buffer(3)),                     // CRC of 3 bytes
      attribute(0x0020, from_hex("0001a147e112a6")),    // IPv4 of 3 bytes
      attribute(0x0020, from_hex("0003a147e112a643")),  // family 3
      attribute(0x0020, from_hex("0002a147e112a643")),  // IPv6 of 4 bytes
      attribute(0x0009, from_hex("00000700")),          // class 7
      attribute(0x0009, from_hex("00000464")),          // number 100
      attribute(0x000a, from_hex("000102")),            // half a type
  };
  for (const Buffer& a : wrong) EXPECT_FALSE(MessageView::parse(message_of({a})).has_value());
}

TEST(StunWriter, writes_a_check_that_reads_back) {
  Buffer out(256);
  MessageWriter writer(out, {MessageClass::Request, kTransaction});
  writer.username("theirs", "ours");
  writer.priority(0x7effffff);
  writer.ice_controlling(0x0123456789abcdef);
  writer.use_candidate();
  const Bytes bytes = writer.finish(as_bytes("secret"));
  const MessageView view = parsed(bytes);
  EXPECT_EQ(view.username, "theirs:ours");
  EXPECT_EQ(view.priority, 0x7effffffu);
  EXPECT_EQ(view.ice_controlling, 0x0123456789abcdefu);
  EXPECT_TRUE(view.use_candidate);
  EXPECT_TRUE(view.has_fingerprint);
  EXPECT_EQ(view.transaction, kTransaction);
  EXPECT_EQ(view.check_integrity(as_bytes("secret")), Integrity::Right);
}

TEST(StunWriter, writes_the_mapped_addresses_of_rfc_5769_bit_for_bit) {
  TransactionId transaction;
  std::copy_n(&rfc5769_request()[8], 12, transaction.begin());
  const struct {
    SocketAddress address;
    Bytes expected;
  } rows[] = {
      {{IpAddress::v4(192, 0, 2, 1), 32853}, Bytes(rfc5769_response_v4()).subspan(36, 12)},
      {{*core::parse_ip("2001:db8:1234:5678:11:2233:4455:6677"), 32853},
       Bytes(rfc5769_response_v6()).subspan(36, 24)},
  };
  for (const auto& row : rows) {
    Buffer out(128);
    MessageWriter writer(out, {MessageClass::SuccessResponse, transaction});
    writer.xor_mapped_address(row.address);
    const Bytes written = writer.finish_without_integrity().subspan(kHeaderSize, row.expected.size());
    EXPECT_TRUE(std::equal(written.begin(), written.end(), row.expected.begin(), row.expected.end()));
  }
}

TEST(StunWriter, rebuilds_the_long_term_request_of_rfc_5769_bit_for_bit) {
  const Buffer& expected = rfc5769_long_term_request();  // the one vector with zero padding
  TransactionId transaction;
  std::copy_n(&expected[8], 12, transaction.begin());
  const MessageView view = parsed(expected);
  Buffer out(256);
  MessageWriter writer(out, {MessageClass::Request, transaction});
  writer.attribute(0x0006, as_bytes(*view.username));
  writer.attribute(0x0015, as_bytes(*view.nonce));
  writer.attribute(0x0014, as_bytes(*view.realm));
  const Bytes written = writer.finish(from_hex("e8ca7ad59d5eb0518e312911d2dab2a9"));
  // The vector has no fingerprint; ours follows it.
  ASSERT_EQ(written.size(), expected.size() + 8);
  EXPECT_TRUE(std::equal(expected.begin() + 4, expected.end(), written.begin() + 4));
}

TEST(StunWriter, writes_errors_with_the_attributes_that_were_not_understood) {
  Buffer out(256);
  MessageWriter writer(out, {MessageClass::ErrorResponse, kTransaction});
  writer.error_code({kUnknownAttribute, "Unknown"});
  const uint16_t types[] = {0x7001, 0x0003, 0x0005};
  writer.unknown_attributes(types);
  const Bytes bytes = writer.finish(as_bytes("k"));
  const MessageView view = parsed(bytes);
  EXPECT_EQ(view.message_class, MessageClass::ErrorResponse);
  ASSERT_TRUE(view.error.has_value());
  EXPECT_EQ(view.error->code, 420);
  EXPECT_EQ(view.error->reason, "Unknown");
  EXPECT_EQ(view.check_integrity(as_bytes("k")), Integrity::Right);
}

TEST(StunWriter, gives_nothing_when_the_memory_is_too_small) {
  for (size_t room = 0; room < 60; ++room) {
    Buffer out(room);
    MessageWriter writer(out, {MessageClass::Request, kTransaction});
    writer.username("abcd", "efgh");
    EXPECT_EQ(writer.finish(as_bytes("k")).empty(), room < kHeaderSize + 16 + 24 + 8) << room;
  }
}

TEST(StunMessage, keeps_class_apart_for_all_four) {
  for (const auto c : {MessageClass::Request, MessageClass::Indication, MessageClass::SuccessResponse,
                       MessageClass::ErrorResponse}) {
    Buffer out(64);
    MessageWriter writer(out, {c, kTransaction});
    const MessageView view = parsed(writer.finish_without_integrity());
    EXPECT_EQ(view.message_class, c);
    EXPECT_EQ(view.method, kBindingMethod);
  }
}

TEST(StunMessage, survives_random_bytes_behind_a_right_header) {
  core::SeededRandom random(5);
  size_t accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    Buffer bytes(kHeaderSize + 4 * random.below(20));
    random.fill(bytes);
    bytes[0] = 0;
    bytes[1] = 1;
    core::store_u16(&bytes[2], static_cast<uint16_t>(bytes.size() - kHeaderSize));
    core::store_u32(&bytes[4], kMagicCookie);
    for (size_t at = kHeaderSize; at + 4 <= bytes.size(); at += 4) {
      if (random.below(2) == 0) core::store_u16(&bytes[at + 2], static_cast<uint16_t>(random.below(24)));
    }
    const auto view = MessageView::parse(bytes);
    if (!view) continue;
    ++accepted;
    EXPECT_NE(view->check_integrity(as_bytes("k")), Integrity::Right);
  }
  EXPECT_GT(accepted, 100u);
}

}  // namespace
}  // namespace huitang::stun
