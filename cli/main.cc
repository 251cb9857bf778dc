#include "cli/context.h"

int main(int argc, char** argv) { return millrace::cli::runCommandLine(argc, argv); }
