#!/bin/sh
# Makes an image of the machine's own Python and shell with podman, from no registry: python-image.sh FOLDER IMAGE
set -eu
list=$1/files
python=$(readlink -f /usr/bin/python3)
library=/usr/lib/python3.${python##*python3.}
libraries() { ldd "$@" 2> /dev/null | sed -n 's|[^/]*\(/[^ ]*\) (0x.*|\1|p' || true; }
{
  printf '%s\n' /usr/bin/python3 "$python" /bin/sh
  libraries "$python" /bin/sh "$library"/lib-dynload/*.so
  find "$library" -type f -not -name '*.pyc' -not -path '*/test/*' -not -path '*/dist-packages/*'
} | sort -u > "$list"
tar --create --dereference --file - --files-from "$list" 2> /dev/null | podman import - "$2" > /dev/null
