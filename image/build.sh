#!/usr/bin/env bash
# build.sh [amd64|arm64]: writes Landfall's image for that processor, from image/program.sh's program, to
# target/image/landfall-VERSION-ARCH.tar, and prints that path. IMAGE: another name than the manifests', with its tag.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
arch=${1:-amd64}
cargo=${CARGO:-cargo}
program=$(image/program.sh "$arch")

id=$($cargo pkgid --locked --package landfall)
version=${id##*[#@]}
field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | head -n1; }
labels=(
    --label "org.opencontainers.image.title=Landfall"
    --label "org.opencontainers.image.version=$version"
    --label "org.opencontainers.image.source=$(field repository)"
    --label "org.opencontainers.image.licenses=$(field license)"
)
# The commit, and its time; a tree that is no clone has neither.
if revision=$(git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null); then
    labels+=(--label "org.opencontainers.image.revision=$revision")
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
fi
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}

out=$root/target/image/landfall-$version-$arch.tar
mkdir -p "$(dirname "$out")"
$cargo run --quiet --locked --package landfall-image -- "$out" "${IMAGE:-ghcr.io/landfall-dev/landfall:$version}" --arch "$arch" \
    --user 65532:65532 --entrypoint /landfall "${labels[@]}" /landfall="$program"
echo "$out"
