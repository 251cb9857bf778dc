// Producer, Consumer and Admin. Link millrace_client.
#pragma once

#include "client/admin.h"     // IWYU pragma: export
#include "client/consumer.h"  // IWYU pragma: export
#include "client/producer.h"  // IWYU pragma: export
