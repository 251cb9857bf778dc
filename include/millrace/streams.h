// Streams: topologies in C++, their runtime and their test driver.
#pragma once

#include "dsl/json_serde.h"
#include "dsl/query.h"
#include "dsl/streams_builder.h"
#include "dsl/test_driver.h"
#include "streams/runtime/streams.h"

#include <boost/describe/class.hpp>
