#!/usr/bin/env bash
# program.sh [amd64|arm64]: builds Landfall for that processor as one static program and prints its path. The same sources,
# Rust and C compiler give the same bytes, in whatever folder: image/reproducible.sh checks that.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
arch=${1:-amd64}
cargo=${CARGO:-cargo}

case $arch in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*)
    echo "program.sh: there is no image for $arch: amd64 or arm64" >&2
    exit 2
    ;;
esac
target=$machine-unknown-linux-musl

# C is compiled for ring alone. musl-gcc knows this machine's processor only; for another, ring is content with the headers
# of Debian's cross compiler (less glibc's fortified functions, which musl lacks), which links as well.
compiler=musl-gcc
if [ "$(uname -m)" != $machine ]; then
    compiler=$machine-linux-gnu-gcc
    linker=CARGO_TARGET_${target//-/_}_LINKER
    export "${linker^^}=$compiler"
fi
command -v $compiler >/dev/null || {
    echo "program.sh: $compiler is missing: 'make image ARCH=$arch' installs it on Debian and Ubuntu" >&2
    exit 1
}
export "CC_${target//-/_}=$compiler" "CFLAGS_${target//-/_}=-U_FORTIFY_SOURCE"

# rustup adds the targets of rust-toolchain.toml when it installs the toolchain, but not where somebody has set
# RUSTUP_AUTO_INSTALL=0 or where the toolchain was there before.
! command -v rustup >/dev/null || rustup --quiet target add $target

# Where the sources are on this machine must be in no panic's message.
$cargo fetch --quiet --locked --target $target
flags=("--remap-path-prefix=$root=/landfall")
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do flags+=("--remap-path-prefix=$sources=/registry"); done
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}") \
    $cargo build --locked --profile dist --target $target --package landfall --bin landfall
built=$($cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
echo "$built/$target/dist/landfall"
