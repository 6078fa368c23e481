#!/usr/bin/env bash
# check.sh ARCHIVE amd64|arm64: fails unless the image has nothing but one static program in it, takes at most 10 MB, runs as
# a user that is not root, and its program starts with nothing around it and finds the examples' configuration correct.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
archive=$1 arch=$2
most=10000000
fail() { echo "check.sh: $archive: $*" >&2 && exit 1; }
# An empty root and a user without rights, as in a Pod.
inside() { "$root/tests/sandbox/as-root" chroot --userspec=65532:65532 "$image" "$@"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
image=$work/image
mkdir -m 755 "$image"
chmod 755 "$work"

tar -xf "$archive" -C "$work"
from() { sed "s|.*\"$1\":\[*\"\([^\"]*\)\".*|\1|" "$2"; }
config=$work/$(from Config "$work/manifest.json")
tar -xzf "$work/$(from Layers "$work/manifest.json")" -C "$image"

content=$(cd "$image" && find . -mindepth 1)
[ "$content" = ./landfall ] || fail "it should hold /landfall and nothing else, and holds: $content"
size=$(stat -c %s "$archive")
[ "$size" -le $most ] || fail "it takes $size bytes, more than $most"
[ "$(from architecture "$config")" = "$arch" ] || fail "it is for $(from architecture "$config"), not $arch"
[ "$(from User "$config")" = 65532:65532 ] || fail "its user is $(from User "$config"), not 65532:65532"
[ "$(from Entrypoint "$config")" = /landfall ] || fail "its entry point is $(from Entrypoint "$config"), not /landfall"
elf=$(readelf --wide --program-headers --dynamic "$image/landfall")
! grep -E 'INTERP|NEEDED' <<<"$elf" || fail "its program is not static"

start=(/landfall)
case $arch-$(uname -m) in
amd64-x86_64 | arm64-aarch64) ;;
*)
    emulator=qemu-$([ "$arch" = arm64 ] && echo aarch64 || echo x86_64)-static
    cp "$(command -v "$emulator")" "$image/emulator" || fail "$emulator, which could run it here, is missing"
    start=(/emulator /landfall)
    ;;
esac
sed -n '/config.yaml: |/,$ s/^    //p' "$root/docs/examples/config.yaml" >"$image/config.yaml"
version=$(inside "${start[@]}" --version) || fail "its program does not start"
inside "${start[@]}" check /config.yaml >"$work/said" || fail "it finds the examples' configuration wrong: $(cat "$work/said")"
echo "$archive: $size bytes, the program $(stat -c %s "$image/landfall"), static; it says: $version" >&2
