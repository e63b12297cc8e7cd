#!/usr/bin/env bash
# Makes the packages of the last commit twice, in two folders, and compares their checksums.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in one another/folder; do
    git clone --quiet . "$work/$name"
    mkdir "$work/$name/target"
    # The tools that make packages are built once.
    ln -s "$PWD/target/tools" "$work/$name/target/tools"
done
mkdir -p target/tools
# A time zone, a language and a mask of permissions that differ must make no difference.
(cd "$work/one" && TZ=Asia/Shanghai LC_ALL=C.UTF-8 ./dev package)
(cd "$work/another/folder" && umask 077 && TZ=America/New_York LC_ALL=C ./dev package)
diff "$work/one/target/package/SHA256SUMS" "$work/another/folder/target/package/SHA256SUMS"
cat "$work/one/target/package/SHA256SUMS"
echo "two builds, one checksum"
