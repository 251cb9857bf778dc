// Connectors: writing a plugin, running a worker, streaming a file. Link millrace_connect.
#pragma once

#include "connect/plugin.h"       // IWYU pragma: export
#include "connect/standalone.h"   // IWYU pragma: export
#include "connect/stream_file.h"  // IWYU pragma: export
