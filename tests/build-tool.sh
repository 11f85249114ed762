# For the `build.sh` of a Go program of the tests, which sources this from its own directory after `set -euo pipefail`.
#
# usage: build_tool NAME OUTPUT PACKAGE [LDFLAGS]
# Builds PACKAGE to OUTPUT (empty: target/tools/NAME of the repository), unless the last build was from the same sources.
build_tool() {
    local output=${2:-../../target/tools/$1} fingerprint
    mkdir -p "$(dirname "$output")"
    fingerprint=$( { go version; find . ../build-tool.sh -type f \( -name '*.go' -o -name 'go.*' -o -name '*.sh' \) -print0 |
        sort -z | xargs -0 sha256sum; } | sha256sum | cut -d' ' -f1)
    if [[ -x $output && $(cat "$output.fingerprint" 2>/dev/null) == "$fingerprint" ]]; then
        return
    fi
    nice -n 5 go build -trimpath -ldflags "-s -w ${4:-}" -o "$output" "$3"
    echo "$fingerprint" >"$output.fingerprint"
}
