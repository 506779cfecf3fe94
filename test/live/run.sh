#!/bin/sh
# Boots a real Linux in QEMU with an emulated IOMMU, runs the packaged CLI in it, and lets the kernel say what became of it.
#
#   test/live/run.sh [-k KERNEL -m MODULES] [WORK]
#
# KERNEL and MODULES are a vmlinuz and its /lib/modules/RELEASE; without them Debian's linux-image-amd64 is fetched with
# apt. Needs qemu-system-x86, busybox-static, cpio, xz-utils and kmod; no KVM, no IOMMU, no root.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
kernel=
modules=
while getopts k:m: option; do
  case $option in
    k) kernel=$OPTARG ;;
    m) modules=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
work=${1:-$(mktemp -d)}
guest=$work/guest
rm -rf "$guest"
mkdir -p "$guest/bin" "$guest/lib" "$guest/lib64" "$guest/live" "$guest/modules" "$guest/proc" "$guest/sys" "$guest/dev"

if [ -z "$kernel" ]; then
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*amd64\).*/\1/p' | head -n 1)
  if ! ls "$work"/linux-image-*.deb >/dev/null 2>&1; then (cd "$work" && apt-get download "$package"); fi
  rm -rf "$work/kernel"
  dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
  kernel=$(ls "$work"/kernel/boot/vmlinuz-*)
  modules=$(ls -d "$work"/kernel/lib/modules/* "$work"/kernel/usr/lib/modules/* 2>/dev/null | head -n 1)
fi
release=$(basename "$modules")
depmod -b "$(dirname "$(dirname "$(dirname "$modules")")")" "$release" 2>/dev/null || true

# The packaged CLI, with the packages it leans on and nothing else.
(cd "$root" && node scripts/pnpm.mjs --filter vfiokit deploy --prod --legacy "$guest/vfiokit" >/dev/null)
cp "$root"/test/live/guest.mjs "$root"/test/live/holder.mjs "$root"/test/live/kill-at.mjs "$guest/live/"
cp "$root/test/live/init" "$guest/init"
chmod +x "$guest/init"

cp "$(command -v busybox)" "$guest/bin/busybox"
cp "$(command -v node)" "$guest/bin/node"
ldd "$(command -v node)" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$guest$(dirname "$library")"
  cp -L "$library" "$guest$library"
done

# Modules in the order in which insmod takes them, unpacked.
mkdir -p "$guest/lib/modules/$release"
cp "$modules"/modules.* "$guest/lib/modules/$release/"
for module in e1000e e1000 pci-stub vfio vfio_iommu_type1 vfio-pci; do
  modprobe -d "$(dirname "$(dirname "$(dirname "$modules")")")" -S "$release" --show-depends "$module" |
    sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' | while read -r file; do
  name=$(basename "$file" | sed 's/\.ko\..*/.ko/')
  case $file in
    *.xz) xz -dc "$file" >"$guest/modules/$name" ;;
    *.zst) zstd -dcq "$file" >"$guest/modules/$name" ;;
    *) cp "$file" "$guest/modules/$name" ;;
  esac
  echo "$name" >>"$guest/modules/order"
done
(cd "$guest" && find . | cpio -o -H newc --quiet) >"$work/initrd"

log=$work/console.log
qemu-system-x86_64 -accel tcg -machine q35,kernel-irqchip=split -cpu max -m 2G -smp 2 -nodefaults -no-reboot \
  -display none -serial "file:$log" \
  -device intel-iommu,intremap=on \
  -device pcie-root-port,id=rp1,slot=1,chassis=1,addr=04.0 -device e1000e,bus=rp1 \
  -device pcie-root-port,id=rp2,slot=2,chassis=2,addr=05.0 -device pcie-pci-bridge,id=pb,bus=rp2 \
  -device e1000,bus=pb,addr=1 -device e1000,bus=pb,addr=2 \
  -kernel "$kernel" -initrd "$work/initrd" -append 'console=ttyS0 intel_iommu=on iommu=nopt quiet panic=-1' &
machine=$!
# The test ends by itself; a guest that hangs does not hang its starter.
(sleep "${LIVE_TIMEOUT:-1500}" && kill "$machine" 2>/dev/null) &
watch=$!
wait "$machine" || true
kill "$watch" 2>/dev/null || true
sed -n '/^vfiokit live test/,$p' "$log"
grep -q '^[0-9]* passed, 0 failed' "$log"
