#!/usr/bin/env bash
# Builds the evaluators of standards.
# usage: build.sh [OUTPUT]      (default: target/tools/standards of the repository)
set -euo pipefail
cd "$(dirname "$0")"
source ../build-tool.sh
build_tool standards "${1:-}" .
