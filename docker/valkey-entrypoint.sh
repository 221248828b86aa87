#!/bin/sh
# Starts what the official image starts, and adds the modules where that is the server. The official script
# puts VALKEY_EXTRA_FLAGS behind whatever it starts, so for any other program they are left out.
set -e
server=no
case "$1" in
  valkey-server | */valkey-server | -* | *.conf) server=yes ;;
esac
words="$*"
# These are answered only where they stand alone.
case "${words#*valkey-server }" in
  -h | --help | -v | --version | --check-system | '--test-memory '*) server=no ;;
esac
if [ "$server" = yes ]; then
  VALKEY_EXTRA_FLAGS="--loadmodule /usr/local/lib/redis-wasm/host.so $VALKEY_EXTRA_FLAGS"
  export VALKEY_EXTRA_FLAGS
fi
exec docker-entrypoint.sh "$@"
