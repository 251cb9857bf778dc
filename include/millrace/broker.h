// A broker inside a program. Link millrace_broker, and millrace_embedded for Broker::transport().
#pragma once

#include "broker/broker.h"  // IWYU pragma: export
