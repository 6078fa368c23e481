#!/usr/bin/env bash
# Builds the programs that the sandbox runs, and the examples' ingress controller, through the Go module proxy, and prints
# the folder they are in.
# Each is cached by its module's pins outside target/, so a second call takes no time. Runs as the caller, never as root
# by itself. kube-apiserver, etcd and kubectl are taken from KUBEBUILDER_ASSETS where it names a folder that has them.
# With --check it builds nothing, and fails where something is to be built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${LANDFALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/landfall}
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" GOFLAGS="${GOFLAGS:-} -mod=mod"
[ "$GOTOOLCHAIN" = local ] && export GOTOOLCHAIN=auto

check=""
[ "${1:-}" = --check ] && check=1

say() { printf '%s\n' "$*" >&2; }
pins() { (cd "$here/$1" && cat go.mod go.sum $(ls prepare.sh 2>/dev/null) | sha256sum | cut -c1-12); }
version() { awk -v m="$2" '$1 == m { print $2; exit } $1 == "require" && $2 == m { print $3; exit }' "$here/$1/go.mod"; }

bin=$cache/tools/$(cat "$here"/*/go.mod "$here"/*/go.sum | sha256sum | cut -c1-12)
mkdir -p "$bin"

# build MODULE PACKAGE NAME LDFLAGS: from a copy of the module (prepared by its prepare.sh, if it has one) into a folder
# named by the pins, linked into $bin.
build() {
    local module=$1 package=$2 name=$3 ldflags=$4 store
    store=$cache/build/$module-$(pins "$module")
    mkdir -p "$store"
    if [ ! -x "$store/$name" ]; then
        [ -z "$check" ] || exit 1
        local start=$SECONDS
        say "tools: building $name (once; cached in $store)"
        rm -rf "$store/src"
        cp -r "$here/$module" "$store/src"
        (
            cd "$store/src"
            [ ! -x prepare.sh ] || ./prepare.sh
            go build -trimpath -ldflags "-s -w $ldflags" -o "$store/.$name" "$package"
        )
        mv "$store/.$name" "$store/$name"
        rm -rf "$store/src"
        say "tools: $name built in $((SECONDS - start)) s"
    fi
    ln -sfn "$store/$name" "$bin/$name"
}
# ready NAME: takes NAME from KUBEBUILDER_ASSETS; fails where it is not there.
ready() {
    [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/$1" ] && ln -sfn "$KUBEBUILDER_ASSETS/$1" "$bin/$1"
}

k8s=$(version kubernetes k8s.io/kubernetes)
stamp="-X k8s.io/component-base/version.gitVersion=$k8s -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(echo "$k8s" | cut -d. -f2)"
ready etcd || build etcd go.etcd.io/etcd/server/v3 etcd ""
for name in kube-apiserver kubectl; do
    ready $name || build kubernetes k8s.io/kubernetes/cmd/$name $name "$stamp"
done
for name in kube-controller-manager kube-proxy; do
    build kubernetes k8s.io/kubernetes/cmd/$name $name "$stamp"
done
build traefik github.com/traefik/traefik/v3/cmd/traefik traefik "-X github.com/traefik/traefik/v3/pkg/version.Version=$(version traefik github.com/traefik/traefik/v3)"
echo "$bin"
