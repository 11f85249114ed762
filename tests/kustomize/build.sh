#!/usr/bin/env bash
# Builds kustomize, unless the last build was of the same version.
# usage: build.sh [OUTPUT]      (default: target/tools/kustomize of the repository)
set -euo pipefail
cd "$(dirname "$0")"
output=${1:-../../target/tools/kustomize}
mkdir -p "$(dirname "$output")"

fingerprint=$( { go version; sha256sum build.sh go.mod go.sum; } | sha256sum | cut -d' ' -f1)
if [[ -x $output && $(cat "$output.fingerprint" 2>/dev/null) == "$fingerprint" ]]; then
    exit 0
fi
nice -n 5 go build -trimpath -ldflags "-s -w" -o "$output" sigs.k8s.io/kustomize/kustomize/v5
echo "$fingerprint" >"$output.fingerprint"
