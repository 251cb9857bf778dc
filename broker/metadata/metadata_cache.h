// The image that this broker answers from, for every shard.
#pragma once

#include "broker/metadata/image.h"

#include <mutex>
#include <utility>

namespace millrace::broker {

/// One writer (the metadata service), many readers. A reader takes the image once per request and
/// uses that one throughout. A mutex, as libstdc++ 12's atomic shared_ptr ends a load with a
/// relaxed store, which orders nothing before the next writer.
class MetadataCache {
 public:
  explicit MetadataCache(ImagePtr first) : image_(std::move(first)) {}
  [[nodiscard]] ImagePtr current() const {
    const std::lock_guard lock(mutex_);
    return image_;
  }
  void publish(ImagePtr next) {
    const std::lock_guard lock(mutex_);
    image_.swap(next);
  }

 private:
  mutable std::mutex mutex_;
  ImagePtr image_;
};

}  // namespace millrace::broker
