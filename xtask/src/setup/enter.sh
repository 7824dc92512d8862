# enter.sh ROOT HERE DIRECTORY... -- PROGRAM ARGUMENT...
#
# Mounts each DIRECTORY at the same path in the root directory ROOT, and runs PROGRAM there in the
# directory HERE. The caller provides a mount namespace, so the mounts end with it.
set -eu
root=$1
here=$2
shift 2
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --rbind "$1" "$root$1"
    shift
done
shift
exec chroot "$root" sh -c 'cd "$1" && shift && exec "$@"' sh "$here" "$@"
