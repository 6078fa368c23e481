#!/usr/bin/env bash
# reproducible.sh [amd64|arm64]: builds the image here, and once more from a clone in another folder with nothing built yet,
# and fails unless both archives are the same, byte for byte.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
arch=${1:-amd64}
[ -z "$(git status --porcelain)" ] || {
    echo "reproducible.sh: only a commit can be built again: commit or stash what 'git status' shows" >&2
    exit 1
}

here=$(image/build.sh "$arch")
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone --quiet "$root" "$clone/landfall"
there=$(CARGO_TARGET_DIR=$clone/target "$clone/landfall/image/build.sh" "$arch")
sha256sum "$here" "$there"
cmp "$here" "$there" || {
    echo "reproducible.sh: the two differ: 'diffoscope $here OTHER' shows where, after 'image/build.sh $arch' in another clone" >&2
    exit 1
}
echo "reproducible.sh: the same bytes from two folders"
