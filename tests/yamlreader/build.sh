#!/usr/bin/env bash
# Builds the YAML reader, unless the last build was from the same sources.
# usage: build.sh [OUTPUT]      (default: target/tools/yamlreader of the repository)
set -euo pipefail
cd "$(dirname "$0")"
output=${1:-../../target/tools/yamlreader}
mkdir -p "$(dirname "$output")"

fingerprint=$( { go version; sha256sum build.sh go.mod go.sum ./*.go; } | sha256sum | cut -d' ' -f1)
if [[ -x $output && $(cat "$output.fingerprint" 2>/dev/null) == "$fingerprint" ]]; then
    exit 0
fi
nice -n 5 go build -trimpath -ldflags "-s -w" -o "$output" .
echo "$fingerprint" >"$output.fingerprint"
