#!/usr/bin/env bash
# Builds the oracle.
# usage: build.sh [OUTPUT]      (default: target/tools/oracle of the repository)
set -euo pipefail
cd "$(dirname "$0")"
source ../build-tool.sh
build_tool oracle "${1:-}" .
