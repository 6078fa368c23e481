# Sourced by `run` and `upstream`, which set `test` to their name: a kind cluster for one test, from its start to its end, that
# nobody else has a part in.
# KIND=ipv4-iptables: the other variant. KEEP=1: the cluster stays up afterwards.
. "$(dirname "${BASH_SOURCE[0]}")/steps/common.sh"
cd "$project"
lab=$here/lab
cargo=${CARGO:-cargo}
variant=${KIND:-nftables}
in_lab() { "$lab" run "$@"; }
say() { printf '%s: %s\n' "$test" "$*" >&2; }
step() { printf '%s: %4d s  %s\n' "$test" "$SECONDS" "$1" >&2; }

# begin ARCHIVE...: starts it, and loads these images and the examples'. At its end `finish` comes first, where there is one.
begin() {
    local examples
    lock
    export LANDFALL_KIND_LOCKED=1
    [ ! -d "$run" ] || fail "a kind cluster is up, whose pods may be other than these sources': make kind-down takes it away"
    step "starting a kind cluster"
    trap end EXIT
    "$lab" up "$variant"
    examples=$("$lab" images)
    mapfile -t examples < <(printf %s "$examples")
    step "loading images"
    "$lab" load "$@" "${examples[@]}"
}

end() {
    ! declare -F finish >/dev/null || finish
    [ -n "${KEEP:-}" ] || "$lab" down
}
