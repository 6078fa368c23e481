#!/usr/bin/env bash
# Checks all that building, testing and the demo need, installs the Debian or Ubuntu packages that are missing, and names
# everything else that is, all at once. LANDFALL_NO_INSTALL=1: installs nothing, only reports. With the argument `kind` also
# what building and running a kind cluster needs.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LANDFALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/landfall}
export PATH=$PATH:/usr/sbin:/sbin

missing=()
lacks() { missing+=("$*"); }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# --- Packages: the program that is looked for, and the package that has it. The library reads the same list (src/tools.rs);
# compilers are for the build alone, the one for C++ for libFuzzer; Python is for a test of image/. ARCH: the processor that an image is to be built for.
image=()
case ${ARCH:+$ARCH-$(uname -m)} in
amd64-x86_64 | arm64-aarch64) image=("musl-gcc musl-tools") ;;
amd64-*) image=("x86_64-linux-gnu-gcc gcc-x86-64-linux-gnu" "qemu-x86_64-static qemu-user-static") ;;
arm64-*) image=("aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu" "qemu-aarch64-static qemu-user-static") ;;
esac
lists=("$here/programs")
[ "${1:-}" != kind ] || lists+=("$here/../kind/programs")
packages=()
while read -r program package; do
    command -v "$program" >/dev/null || packages+=("$package")
done < <(cat "${lists[@]}" && printf '%s\n' "cc gcc" "c++ g++" "python3 python3" "${image[@]}")
[ -e /usr/include/stdlib.h ] || packages+=(libc6-dev)
[[ ${image[0]:-} != *linux-gnu* ]] || [ -d "/usr/${image[0]%%-gcc*}/include" ] || packages+=("libc6-dev-$ARCH-cross")
if [ "${1:-}" = kind ]; then
    [ -e /usr/include/seccomp.h ] || packages+=(libseccomp-dev)
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || packages+=(debian-archive-keyring)
fi

# nginx's package would start a web server on this machine, docker.io's an engine; the programs alone are needed.
install() {
    local policy=/usr/sbin/policy-rc.d hold="" unit units=()
    for unit in nginx.service docker.service docker.socket containerd.service; do
        # What is there already stays as it is.
        [ -d /run/systemd/system ] && ! systemctl cat $unit >/dev/null 2>&1 && units+=($unit)
    done
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod +x $policy && hold=1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    local result=$?
    [ -n "$hold" ] && as_root rm -f $policy
    for unit in "${units[@]}"; do as_root systemctl --quiet disable $unit 2>/dev/null; done
    return $result
}

if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    lacks "sudo, or root: network namespaces need it (su -c 'apt-get install sudo', or run as root)"
elif [ ${#packages[@]} -gt 0 ]; then
    if [ "${LANDFALL_NO_INSTALL:-}" != 1 ] && command -v apt-get >/dev/null; then
        echo "preflight: installing ${packages[*]}" >&2
        install "${packages[@]}" || lacks "packages that apt-get could not install: apt-get install ${packages[*]}"
    else
        lacks "packages (by their Debian names): apt-get install ${packages[*]}"
    fi
fi

# --- Rust: rustup takes the toolchain from rust-toolchain.toml.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }
rust=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$root/rust-toolchain.toml")
cargo=$(cd "$root" && cargo --version 2>/dev/null | cut -d' ' -f2)
at_least "${cargo:-0}" "$rust" || lacks "Rust $rust, by rustup (here: ${cargo:-none}): https://rustup.rs"

# --- Go, for Kubernetes' own programs; not where all of them are built already.
version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//')
"$root/tests/tools/install.sh" --check ${1:+"$1"} >/dev/null || at_least "${version:-0}" 1.21 ||
    lacks "Go 1.26, or 1.21 and later, which fetches 1.26 by itself (here: ${version:-none}): https://go.dev/dl"

# --- Room. What earlier builds have taken already counts.
memory=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
[ "$memory" -ge 3700 ] || lacks "memory: 4 GB (here: $memory MB)"
room=15000
[ "${1:-}" != kind ] || room=25000
free=$(df -Pm "$root" | awk 'NR == 2 { print $4 }')
if [ "$free" -lt $room ]; then
    mapfile -t caches < <(go env GOCACHE GOMODCACHE 2>/dev/null)
    taken=$(du -smc "${CARGO_TARGET_DIR:-$root/target}" "$cache" "${caches[@]}" 2>/dev/null | awk 'END { print $1 }')
    [ $((free + ${taken:-0})) -ge $room ] ||
        lacks "disk: $((room / 1000)) GB free at $root (here: $free MB, and ${taken:-0} MB built already)"
fi

# --- The kernel: namespaces, and the devices and rules that the sandbox makes in them.
if [ "$(command -v ip nft unshare | wc -l)" = 3 ] && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
    trial='ip link add name t0 type veth peer name t1 && ip link add name t2 type bridge && nft add table inet t'
    if ! problem=$(as_root unshare --net --mount sh -c "$trial" 2>&1); then
        lacks "network namespaces with veth, bridge and nftables, for root: ${problem:-no message}"
    fi
fi

if [ ${#missing[@]} -gt 0 ]; then
    echo "preflight: this machine lacks:" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
fi
