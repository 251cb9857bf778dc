#include "streams/context.h"

#include "streams/processor.h"

#include <cstdio>

namespace millrace::streams {

ProcessorContext::ProcessorContext(TaskId task, std::string application_id,
                                   RecordCollector& collector, CacheBudget& cache)
    : task_(task),
      application_id_(std::move(application_id)),
      collector_(collector),
      cache_(cache) {}

Cancellable ProcessorContext::schedule(Millis interval_ms, PunctuationType type,
                                       Punctuator punctuator) {
  MILLRACE_ASSERT(interval_ms > 0, "a punctuation interval is positive");
  auto cancelled = std::make_shared<bool>(false);
  const bool stream_time = type == PunctuationType::kStreamTime;
  auto& schedules = stream_time ? stream_time_schedules_ : wall_clock_schedules_;
  const Millis first = stream_time ? 0 : wall_ms_ + interval_ms;
  schedules.push_back({interval_ms, first, cancelled, std::move(punctuator)});
  return Cancellable(std::move(cancelled));
}

void ProcessorContext::fail(Error error) {
  if (failed_) return;
  failed_ = true;
  error_ = std::move(error);
}

TaskStore* ProcessorContext::findStore(std::string_view name) {
  const auto found = stores_.find(std::string(name));
  return found == stores_.end() ? nullptr : found->second.get();
}

void failWrongChild(const std::type_info& parent, const std::type_info& child) {
  const std::string message =
      std::string("a node of type ") + child.name() + " does not take " + parent.name();
  assertionFailed("child takes what its parent emits", message, std::source_location::current());
}

}  // namespace millrace::streams
