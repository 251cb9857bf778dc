// A message of any type, for what carries messages without looking into them: transports, dispatch
// tables, logs.
#pragma once

#include "base/assert.h"
#include "protocol/message.h"

#include <concepts>
#include <string>
#include <utility>

namespace millrace::protocol {

/// Owns one message, or nothing. Move-only.
class AnyMessage {
 public:
  AnyMessage() = default;
  /// `return AnyMessage(std::move(response));`
  template <class M>
    requires Message<std::remove_cvref_t<M>>
  explicit AnyMessage(M&& message)
      : info_(&std::remove_cvref_t<M>::info()),
        data_(new std::remove_cvref_t<M>(std::forward<M>(message))) {}
  /// A message of this type with all fields at their defaults.
  explicit AnyMessage(const MessageInfo& info) : info_(&info), data_(info.create()) {}
  AnyMessage(AnyMessage&& o) noexcept : info_(o.info_), data_(std::exchange(o.data_, nullptr)) {}
  AnyMessage& operator=(AnyMessage&& o) noexcept {
    std::swap(info_, o.info_);
    std::swap(data_, o.data_);
    return *this;
  }
  ~AnyMessage() {
    if (data_ != nullptr) info_->destroy(data_);
  }

  [[nodiscard]] bool empty() const { return data_ == nullptr; }
  /// Only when not empty.
  [[nodiscard]] const MessageInfo& info() const { return *info_; }
  [[nodiscard]] void* data() { return data_; }
  [[nodiscard]] const void* data() const { return data_; }

  template <Message M>
  [[nodiscard]] bool is() const {
    return data_ != nullptr && info_ == &M::info();
  }
  /// nullptr when it holds something else.
  template <Message M>
  [[nodiscard]] M* get() {
    return is<M>() ? static_cast<M*>(data_) : nullptr;
  }
  template <Message M>
  [[nodiscard]] const M* get() const {
    return is<M>() ? static_cast<const M*>(data_) : nullptr;
  }
  /// The message; another type is a programming error.
  template <Message M>
  [[nodiscard]] M& as() {
    MILLRACE_ASSERT(is<M>(), std::string(empty() ? "empty" : info_->name));
    return *static_cast<M*>(data_);
  }
  template <Message M>
  [[nodiscard]] const M& as() const {
    MILLRACE_ASSERT(is<M>(), std::string(empty() ? "empty" : info_->name));
    return *static_cast<const M*>(data_);
  }

 private:
  const MessageInfo* info_ = nullptr;
  void* data_ = nullptr;
};

}  // namespace millrace::protocol
