# enter.sh ROOT HERE DIRECTORY... -- PROGRAM ARGUMENT...
#
# Mounts each DIRECTORY at the same place in the root directory ROOT, and runs PROGRAM there in
# the directory HERE. It is to run in a mount namespace of its own, with which all of that ends.
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
