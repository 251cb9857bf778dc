#include "connect/plugin.h"

// Of a version that is still to come.
extern "C" __attribute__((visibility("default"))) const millrace::connect::PluginTable*
millrace_connect_plugin() {
  static const millrace::connect::PluginTable kTable{.version = 99};
  return &kTable;
}
