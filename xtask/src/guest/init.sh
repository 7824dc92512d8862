#!/omniglot/busybox sh
# The first process of a guest. It sets up the file systems, runs /omniglot/command, sends its
# output and exit status through the ports of a virtio serial device, and ends the machine.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin

end() {
    poweroff -f
}

# Errors are written to the console, where whoever started the machine finds them.
fail() {
    echo "guest: $1"
    end
}

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev || fail "the kernel has no devtmpfs"
mkdir -p /dev/shm /dev/pts
# Nothing is mounted on /tmp, since a mount would hide files of the archive. The whole root is in
# memory.
chmod 1777 /tmp
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t devpts pts /dev/pts
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
ifconfig lo up 2>/dev/null

# Finds the port with this name, which QEMU assigned. Ports appear a moment after their device.
port() {
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        for place in /sys/class/virtio-ports/*; do
            if [ "$(cat "$place/name" 2>/dev/null)" = "$1" ]; then
                echo "/dev/${place##*/}"
                return
            fi
        done
        sleep 0.1
    done
}

out=$(port out)
err=$(port err)
status=$(port status)
[ -n "$out" ] && [ -n "$err" ] && [ -n "$status" ] ||
    fail "the kernel has no driver for virtio consoles built in (CONFIG_VIRTIO_CONSOLE=y)"

# The kernel starts with one processor. It patches its own code while it starts, and QEMU's
# emulation of several processors (7.2) sometimes gets that wrong.
for processor in /sys/devices/system/cpu/cpu[1-9]*/online; do
    [ ! -e "$processor" ] || echo 1 >"$processor" || fail "a processor could not be started"
done

# Ends this machine even if the host process that would end it is gone.
(sleep "$(cat /omniglot/timeout)"; end) >/dev/null 2>&1 &

# A port can be opened only once. A pipe can be opened again, as in `echo hello >/dev/stderr`.
mkfifo /run/out /run/err
cat /run/out >"$out" &
cat_out=$!
cat /run/err >"$err" &
cat_err=$!

echo started >"$status"
sh /omniglot/command </omniglot/input >/run/out 2>/run/err
code=$?

# Processes that the program left behind would keep the pipes open. Kernel threads ignore signals.
for process in /proc/[0-9]*; do
    process=${process##*/}
    case " $$ $cat_out $cat_err " in
    *" $process "*) ;;
    *) kill -9 "$process" 2>/dev/null ;;
    esac
done
wait "$cat_out" "$cat_err"
echo "ended $code" >"$status"
end
