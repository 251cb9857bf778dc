// The image that this broker answers from, for every shard.
#pragma once

#include "broker/metadata/image.h"

#include <atomic>

namespace millrace::broker {

/// One writer (the metadata service), many readers. A reader takes the image once per request and
/// uses that one throughout.
class MetadataCache {
 public:
  explicit MetadataCache(ImagePtr first) : image_(std::move(first)) {}
  [[nodiscard]] ImagePtr current() const { return image_.load(std::memory_order_acquire); }
  void publish(ImagePtr next) { image_.store(std::move(next), std::memory_order_release); }

 private:
  std::atomic<ImagePtr> image_;
};

}  // namespace millrace::broker
