// The file connectors as a shared object, as any connector of one's own would be built.
#include "connect/file/file_sink.h"
#include "connect/file/file_source.h"

using millrace::connect::connectorOf;
using millrace::connect::FileSinkTask;
using millrace::connect::FileSourceTask;

MILLRACE_CONNECTORS(connectorOf<FileSourceTask>({.name = "FileStreamSource",
                                                 .version = "0.1.0",
                                                 .config = FileSourceTask::config()}),
                    connectorOf<FileSinkTask>({.name = "FileStreamSink",
                                               .version = "0.1.0",
                                               .config = FileSinkTask::config()}))
