#!/usr/bin/env bash
# Builds the control plane, unless the last build was from the same sources.
# usage: build.sh [OUTPUT]      (default: target/tools/controlplane of the repository)
set -euo pipefail
cd "$(dirname "$0")"
output=${1:-../../target/tools/controlplane}
mkdir -p "$(dirname "$output")"

version=$(awk '$1 == "k8s.io/kubernetes" && $2 ~ /^v/ { print $2; exit }' go.mod)
fingerprint=$( { go version; sha256sum build.sh go.mod go.sum ./*.go; } | sha256sum | cut -d' ' -f1)
if [[ -x $output && $(cat "$output.fingerprint" 2>/dev/null) == "$fingerprint" ]]; then
    exit 0
fi

# The version decides which CEL libraries, feature gates and emulated versions
# the API server takes to exist: without it, it takes itself for v0.0.0.
IFS=. read -r major minor _ <<<"${version#v}"
flags=(-s -w)
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=(-X "$package.gitVersion=$version" -X "$package.gitMajor=$major" -X "$package.gitMinor=$minor")
    flags+=(-X "$package.gitTreeState=clean")
done
nice -n 5 go build -trimpath -ldflags "${flags[*]}" -o "$output" .
echo "$fingerprint" >"$output.fingerprint"
