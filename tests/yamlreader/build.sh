#!/usr/bin/env bash
# Builds the YAML reader.
# usage: build.sh [OUTPUT]      (default: target/tools/yamlreader of the repository)
set -euo pipefail
cd "$(dirname "$0")"
source ../build-tool.sh
build_tool yamlreader "${1:-}" .
