# Sourced by the lab and its steps: where things are, and how a result is cached by what it is made of.
# A step runs as root, told by LANDFALL_CACHE and LANDFALL_KIND_* where its caller's things are.
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
steps=$here/steps
project=$(cd "$here/../.." && pwd)
export LANDFALL_CACHE=${LANDFALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/landfall}
cache=$LANDFALL_CACHE/kind
# What a running lab keeps: gone after a reboot, as the lab itself is. A machine has one lab at a time: names and sysctls are
# the machine's.
run=${LANDFALL_KIND_RUN:-/run/landfall-kind}
export PATH=$PATH:/usr/sbin:/sbin

say() { printf 'lab: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
as_root() { "$project/tests/sandbox/as-root" "$@"; }
# lock: until this process ends no other changes the lab; LANDFALL_KIND_LOCKED: a caller has seen to it.
lock() {
    [ -z "${LANDFALL_KIND_LOCKED:-}" ] || return 0
    mkdir -p "$LANDFALL_CACHE"
    exec 9>"$LANDFALL_CACHE/kind.lock"
    flock --nonblock 9 && return
    say "waiting for another that uses the lab"
    flock 9
}

# fingerprint INPUT...: files by their content, links by where they lead (a tool's target is named by its pins), text as it is.
fingerprint() {
    local input
    for input in "$@"; do
        if [ -L "$input" ]; then readlink "$input"; elif [ -f "$input" ]; then cat "$input"; else printf '%s\n' "$input"; fi
    done | sha256sum | cut -c1-12
}

# cached NAME FINGERPRINT COMMAND...: prints the folder $cache/NAME-FINGERPRINT, which COMMAND has filled, given a folder as its
# last argument; takes the one of earlier inputs away. What did not succeed leaves nothing that could pass for a result.
cached() {
    local name=$1 folder=$cache/$1-$2 unfinished=$cache/.$1 start=$SECONDS
    shift 2
    if [ ! -d "$folder" ]; then
        say "making the $name (once)"
        rm -rf "$unfinished"
        mkdir -p "$unfinished"
        "$@" "$unfinished" >&2
        rm -rf "$cache/$name"-*
        mv "$unfinished" "$folder"
        say "$name made in $((SECONDS - start)) s"
    fi
    echo "$folder"
}

# until_true SECONDS COMMAND...: waits for it.
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
