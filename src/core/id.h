// Ids as types: Id<struct PeerTag, uint32_t> does not convert to another id or to a number by accident.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace huitang::core {

template <class Tag, class Rep>
class Id {
 public:
  using rep = Rep;
  constexpr Id() = default;
  explicit constexpr Id(Rep v) : v_(v) {}
  constexpr Rep value() const { return v_; }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;

 private:
  Rep v_{};
};

}  // namespace huitang::core

template <class Tag, class Rep>
struct std::hash<huitang::core::Id<Tag, Rep>> {
  size_t operator()(const huitang::core::Id<Tag, Rep>& id) const { return std::hash<Rep>()(id.value()); }
};
