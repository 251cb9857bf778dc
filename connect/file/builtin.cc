#include "connect/file/builtin.h"

#include "connect/file/file_sink.h"
#include "connect/file/file_source.h"

namespace millrace::connect {

std::vector<ConnectorFactory> fileConnectors() {
  return {connectorOf<FileSourceTask>(
              {.name = "FileStreamSource", .version = "0.1.0", .config = FileSourceTask::config()}),
          connectorOf<FileSinkTask>(
              {.name = "FileStreamSink", .version = "0.1.0", .config = FileSinkTask::config()})};
}

}  // namespace millrace::connect
