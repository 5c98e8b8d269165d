// Result<T, E>: a value or an error, with the member names of std::expected (which gcc 12 lacks in C++20 mode).
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "core/check.h"

namespace huitang::core {

template <class E>
class Unexpected {
 public:
  explicit constexpr Unexpected(E e) : error_(std::move(e)) {}
  constexpr E& error() & { return error_; }
  constexpr const E& error() const& { return error_; }
  constexpr E&& error() && { return std::move(error_); }

 private:
  E error_;
};
template <class E>
Unexpected(E) -> Unexpected<E>;

/// `return err(ParseError::Truncated);`
template <class E>
constexpr Unexpected<std::decay_t<E>> err(E&& e) {
  return Unexpected<std::decay_t<E>>(std::forward<E>(e));
}

template <class T, class E>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = E;

  template <class U = T>
    requires std::is_constructible_v<T, U&&> && (!std::is_same_v<std::remove_cvref_t<U>, Result>)
  constexpr Result(U&& v) : v_(std::in_place_index<0>, std::forward<U>(v)) {}  // NOLINT: implicit by design
  template <class G>
  constexpr Result(Unexpected<G> u) : v_(std::in_place_index<1>, std::move(u).error()) {}  // NOLINT

  constexpr bool has_value() const { return v_.index() == 0; }
  constexpr explicit operator bool() const { return has_value(); }
  constexpr T& value() & { return HUITANG_CHECK(has_value()), *std::get_if<0>(&v_); }
  constexpr const T& value() const& { return HUITANG_CHECK(has_value()), *std::get_if<0>(&v_); }
  constexpr T&& value() && { return HUITANG_CHECK(has_value()), std::move(*std::get_if<0>(&v_)); }
  constexpr E& error() & { return HUITANG_CHECK(!has_value()), *std::get_if<1>(&v_); }
  constexpr const E& error() const& { return HUITANG_CHECK(!has_value()), *std::get_if<1>(&v_); }
  constexpr T& operator*() & { return value(); }
  constexpr const T& operator*() const& { return value(); }
  constexpr T&& operator*() && { return std::move(*this).value(); }
  constexpr T* operator->() { return &value(); }
  constexpr const T* operator->() const { return &value(); }
  template <class U>
  constexpr T value_or(U&& other) const& {
    return has_value() ? value() : static_cast<T>(std::forward<U>(other));
  }

 private:
  std::variant<T, E> v_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  using value_type = void;
  using error_type = E;
  constexpr Result() = default;
  template <class G>
  constexpr Result(Unexpected<G> u) : failed_(true), error_(std::move(u).error()) {}  // NOLINT
  constexpr bool has_value() const { return !failed_; }
  constexpr explicit operator bool() const { return !failed_; }
  constexpr const E& error() const { return HUITANG_CHECK(failed_), error_; }

 private:
  bool failed_ = false;
  E error_{};
};

}  // namespace huitang::core
