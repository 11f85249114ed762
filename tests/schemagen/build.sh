#!/usr/bin/env bash
# Builds Kubernetes' type checker.
# usage: build.sh [OUTPUT]      (default: target/tools/typecheck of the repository)
set -euo pipefail
cd "$(dirname "$0")"
source ../build-tool.sh
build_tool typecheck "${1:-}" ./typecheck
