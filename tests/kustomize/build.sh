#!/usr/bin/env bash
# Builds kustomize.
# usage: build.sh [OUTPUT]      (default: target/tools/kustomize of the repository)
set -euo pipefail
cd "$(dirname "$0")"
source ../build-tool.sh
build_tool kustomize "${1:-}" sigs.k8s.io/kustomize/kustomize/v5
