#!/bin/sh
# What cargo runs in place of rustc (.cargo/config.toml): rustc itself, told to leave out of its output where
# this machine keeps the sources, which the messages of panics name. So a commit gives the same host in
# whatever folder, by whatever user, it is built.
project=$(cd "$(dirname "$0")/.." && pwd -P)
# Of several that match, rustc takes the last.
exec "$@" --remap-path-prefix "${CARGO_HOME:-$HOME/.cargo}=/cargo" \
  --remap-path-prefix "$project=/project" \
  --remap-path-prefix "${CARGO_TARGET_DIR:-$project/target}=/target"
