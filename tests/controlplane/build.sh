#!/usr/bin/env bash
# Builds the control plane.
# usage: build.sh [OUTPUT]      (default: target/tools/controlplane of the repository)
set -euo pipefail
cd "$(dirname "$0")"
source ../build-tool.sh

# The version decides which CEL libraries, feature gates and emulated versions
# the API server takes to exist: without it, it takes itself for v0.0.0.
version=$(awk '$1 == "k8s.io/kubernetes" && $2 ~ /^v/ { print $2; exit }' go.mod)
IFS=. read -r major minor _ <<<"${version#v}"
flags=()
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=(-X "$package.gitVersion=$version" -X "$package.gitMajor=$major" -X "$package.gitMinor=$minor")
    flags+=(-X "$package.gitTreeState=clean")
done
build_tool controlplane "${1:-}" . "${flags[*]}"
