// The connectors that are part of the worker.
#pragma once

#include "connect/plugin.h"

namespace millrace::connect {

/// FileStreamSource and FileStreamSink.
[[nodiscard]] std::vector<ConnectorFactory> fileConnectors();

}  // namespace millrace::connect
