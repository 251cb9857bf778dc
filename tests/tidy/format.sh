#!/usr/bin/env bash
# Fails where a source is not as `./dev fmt` leaves it. Other versions of clang-format differ, so
# without this one (./dev fmt installs it) there is nothing to say.
set -euo pipefail
cd "$1"
command -v clang-format-19 >/dev/null || { echo "skipped: no clang-format-19"; exit 77; }
git rev-parse --git-dir >/dev/null 2>&1 || { echo "skipped: not a clone"; exit 77; }
git ls-files '*.h' '*.cc' | xargs -n 50 clang-format-19 --dry-run --Werror
