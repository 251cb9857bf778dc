// Bytes and views of bytes. One representation for text and binary data: a key compares, hashes and
// goes to RocksDB or to a socket without conversion.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace {

/// Owned bytes. May hold any octets, zero included.
using Bytes = std::string;
/// Borrowed bytes; the owner is named where one is returned.
using BytesView = std::string_view;

/// A string or byte field of a message: borrowed from a frame (decode) or owned (built by hand).
/// Sixteen bytes; copying an owned Text copies its bytes, copying a borrowed one copies the view.
class Text {
 public:
  Text() = default;
  /// Copies the characters: the Text owns them.
  Text(std::string_view s) : Text(s, Owned{}) {}             // NOLINT(google-explicit-constructor)
  Text(const std::string& s) : Text(std::string_view(s)) {}  // NOLINT(google-explicit-constructor)
  Text(const char* s) : Text(std::string_view(s)) {}         // NOLINT(google-explicit-constructor)
  /// Refers to characters that must outlive this Text and every copy of it.
  static Text borrow(std::string_view s) {
    Text t;
    t.data_ = s.data();
    t.size_ = static_cast<std::uint32_t>(s.size());
    return t;
  }

  Text(const Text& o) : data_(o.data_), size_(o.size_) {
    if (o.owned_) own(o.view());
  }
  Text(Text&& o) noexcept : data_(o.data_), size_(o.size_), owned_(o.owned_) { o.forget(); }
  Text& operator=(Text o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    std::swap(owned_, o.owned_);
    return *this;
  }
  ~Text() {
    if (owned_) delete[] data_;
  }

  [[nodiscard]] std::string_view view() const { return {data_, size_}; }
  operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] std::string str() const { return std::string(view()); }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const char* data() const { return data_; }

  friend bool operator==(const Text& a, const Text& b) { return a.view() == b.view(); }
  friend auto operator<=>(const Text& a, const Text& b) { return a.view() <=> b.view(); }

 private:
  struct Owned {};
  Text(std::string_view s, Owned) { own(s); }
  void own(std::string_view s) {
    size_ = static_cast<std::uint32_t>(s.size());
    if (s.empty()) {
      data_ = "";
      owned_ = false;
      return;
    }
    char* copy = new char[s.size()];
    std::memcpy(copy, s.data(), s.size());
    data_ = copy;
    owned_ = true;
  }
  void forget() {
    data_ = "";
    size_ = 0;
    owned_ = false;
  }

  const char* data_ = "";
  std::uint32_t size_ = 0;
  bool owned_ = false;
};

}  // namespace millrace
