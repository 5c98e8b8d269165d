#include "api/door.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace huitang::api {
namespace {

using core::Duration;
using core::Instant;
using core::IpAddress;

constexpr IpAddress address(uint8_t n) { return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, n}}; }

struct DoorTest : testing::Test {
  Instant now = Instant::from_nanos(1'000'000'000);
  Door door{DoorLimits{20, 4, Duration::seconds(10)}};
  PlaceId enter(uint8_t from, Standing standing = Standing::Stranger) {
    const std::optional<Door::Admission> admission = door.admit(now, address(from));
    if (!admission) return PlaceId();
    if (admission->to_close) {
      closed.push_back(*admission->to_close);
      door.leave(*admission->to_close);
    }
    door.set_standing(admission->place, standing);
    EXPECT_TRUE(door.is_consistent());
    return admission->place;
  }
  std::vector<PlaceId> closed;
};

TEST_F(DoorTest, closes_the_oldest_stranger_where_an_address_has_too_many) {
  const PlaceId member = enter(1, Standing::Member);
  const PlaceId first = enter(1);
  enter(1);
  enter(1);
  EXPECT_NE(enter(1), PlaceId());
  EXPECT_EQ(closed, std::vector{first});
  EXPECT_EQ(door.size(), 4u);
  EXPECT_NE(member, first);
}

TEST_F(DoorTest, refuses_an_address_that_has_its_share_of_sessions) {
  for (int i = 0; i < 4; ++i) enter(1, Standing::Guest);
  EXPECT_EQ(enter(1), PlaceId());
  EXPECT_NE(enter(2), PlaceId());
  EXPECT_TRUE(closed.empty());
}

TEST_F(DoorTest, counts_a_network_of_ipv6_as_one_address) {
  for (uint8_t i = 0; i < 4; ++i) {
    IpAddress from{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, i}};
    const auto admission = door.admit(now, from);
    ASSERT_TRUE(admission);
    door.set_standing(admission->place, Standing::Guest);
  }
  EXPECT_FALSE(door.admit(now, IpAddress{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9, 9}}));
  EXPECT_TRUE(door.admit(now, IpAddress{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 9, 9}}));
}

TEST_F(DoorTest, keeps_half_of_all_places_from_strangers) {
  for (uint8_t i = 0; i < 100; ++i) EXPECT_NE(enter(i), PlaceId());
  EXPECT_EQ(door.strangers(), 10u);
  EXPECT_EQ(closed.size(), 90u);
}

TEST_F(DoorTest, makes_room_among_guests_when_there_is_no_stranger_and_never_among_members) {
  const PlaceId guest = enter(0, Standing::Guest);
  for (uint8_t i = 1; i < 20; ++i) enter(i, Standing::Member);
  const PlaceId back = enter(30);
  EXPECT_EQ(closed, std::vector{guest});
  door.set_standing(back, Standing::Member);
  EXPECT_EQ(enter(31), PlaceId());
  EXPECT_EQ(door.size(), 20u);
}

TEST_F(DoorTest, gives_a_stranger_one_deadline_for_everything) {
  const PlaceId slow = enter(1), guest = enter(2, Standing::Guest);
  now = now + Duration::seconds(9);
  EXPECT_TRUE(door.take_overdue(now).empty());
  const PlaceId younger = enter(3);
  now = now + Duration::seconds(1);
  EXPECT_EQ(door.take_overdue(now), std::vector{slow});
  EXPECT_TRUE(door.take_overdue(now).empty()) << "told once";
  door.leave(slow);
  door.leave(guest);
  now = now + Duration::seconds(5);
  door.set_deadline(younger, now + Duration::seconds(30));
  now = now + Duration::seconds(29);
  EXPECT_TRUE(door.take_overdue(now).empty());
}

TEST_F(DoorTest, stays_consistent_whatever_comes_in_whatever_order) {
  core::SeededRandom random(5);
  std::vector<PlaceId> known;
  for (int i = 0; i < 20'000; ++i) {
    now = now + Duration::millis(random.below(200));
    const PlaceId some =
        known.empty() ? PlaceId(77) : known[random.below(static_cast<uint32_t>(known.size()))];
    switch (random.below(6)) {
      case 0: door.set_standing(some, Standing::Guest); break;
      case 1: door.set_standing(some, Standing::Member); break;
      case 2: door.set_deadline(some, now + Duration::seconds(random.below(20))); break;
      case 3: door.leave(some); break;
      case 4:
        for (const PlaceId id : door.take_overdue(now))
          if (random.below(2) == 0) door.leave(id);
        break;
      default:
        if (const auto in = door.admit(now, address(static_cast<uint8_t>(random.below(9)))))
          known.push_back(in->place);
    }
    ASSERT_TRUE(door.is_consistent()) << i;
  }
}

}  // namespace
}  // namespace huitang::api
