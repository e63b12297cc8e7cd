#!/usr/bin/env bash
# Boots a Debian in QEMU that has the packages of target/package, with systemd and the unit, as root. A script of its own,
# so that the first thing that fails ends it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source dev.d/root.sh

if [ "$(id -u)" != 0 ]; then
    echo "debootstrap and chroot need root: sudo ./dev package --boot" >&2
    exit 1
fi
# The release of which the packages are.
for suite in "${!releases[@]}"; do
    read -r php _ <<<"${releases[$suite]}"
    ! compgen -G "target/package/php$php-chatpush_*.deb" >/dev/null || break
done
bootable=$PWD/target/roots/$suite.bootable
console=$PWD/target/boot.log

# The root with a kernel, which it needs nowhere else. It is made once for each state of the root.
bootable_root() {
    local log=$bootable.log
    ! cmp -s "$PWD/target/roots/$suite.made" "$bootable.made" || return 0
    echo "Adding a kernel (minutes); its output is in target/roots/$suite.bootable.log"
    rm -rf "$bootable"
    cp -a "$PWD/target/roots/$suite" "$bootable"
    chroot "$bootable" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
        linux-image-cloud-amd64 initramfs-tools systemd-sysv dbus >"$log" 2>&1 || { tail -n 5 "$log"; exit 1; }
    cp "$PWD/target/roots/$suite.made" "$bootable.made"
}

# A disk with a copy of that root, in which the packages are installed. Everything starts at the boot.
make_disk() {
    ROOT=$bootable WORK=$work PHP=$php SOURCES=$PWD unshare --mount --fork bash -euc '
        mkdir "$WORK/changed" "$WORK/overlay" "$WORK/root"
        mount -t tmpfs tmpfs "$WORK/changed"
        mkdir "$WORK/changed/upper" "$WORK/changed/work"
        mount -t overlay overlay "$WORK/root" \
            -o "lowerdir=$ROOT,upperdir=$WORK/changed/upper,workdir=$WORK/changed/work"
        cd "$WORK/root"
        rm usr/sbin/policy-rc.d
        cp "$SOURCES"/target/package/*.deb "$SOURCES/tests/packages/booted.sh" root/
        cp "$SOURCES/tests/packages/booted.service" etc/systemd/system/
        chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive bash -euc "
            dpkg -i /root/chatpushd_*.deb /root/php$PHP-chatpush_*.deb
            systemctl enable booted.service
            rm /root/*.deb" >"$WORK/install.log" 2>&1 || { tail -n 20 "$WORK/install.log"; exit 1; }
        mke2fs -q -t ext4 -d . "$WORK/disk" 8G'
}

# Starts the machine in the background, and sets `machine` to its process id. It turns itself off.
start_machine() {
    timeout 1200 qemu-system-x86_64 -accel "$1" -cpu max -smp 2 -m 2048 -nographic -no-reboot -nic none \
        -kernel "$bootable/vmlinuz" -initrd "$bootable/initrd.img" \
        -append "root=/dev/vda rw console=ttyS0,115200 panic=-1" \
        -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" </dev/null >"$console" 2>&1 &
    machine=$!
}
# Whether Linux starts within half a minute. A KVM inside another virtual machine may emulate each instruction, and
# then takes far longer than QEMU does.
linux_starts() {
    local deadline=$((SECONDS + 30))
    until grep -q 'Linux version' "$console"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.5
    done
}

work=$(mktemp -d)
machine=''
trap '[ -z "$machine" ] || kill "$machine" 2>/dev/null; rm -rf "$work"' EXIT
root_of "$suite"
bootable_root
make_disk
echo "Booting; the console is in target/boot.log"
if [ -w /dev/kvm ]; then
    start_machine kvm
    if ! linux_starts; then
        kill "$machine"
        wait "$machine" || true
        machine=''
    fi
fi
if [ -z "$machine" ]; then
    echo "Without KVM; that takes some minutes"
    start_machine tcg
fi
wait "$machine" || true
machine=''
tr -d '\r' <"$console" | grep -o '\(ok   \|FAILED \)boot: .*' || true
grep -q 'ok   boot: all' "$console" || { echo "The console is in target/boot.log" >&2; exit 1; }
