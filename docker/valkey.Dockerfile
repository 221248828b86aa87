# The official image of Valkey, with CUSTOM.* and SESSION.*: its start puts these flags behind the server's own. In the folder of the
# installed package, or of a clone after `npm run build`:
#   docker build -f docker/valkey.Dockerfile -t valkey-wasm-sessions .
ARG TAG=9.1.2-trixie
FROM valkey/valkey:${TAG}
COPY --chmod=755 build/host.so build/hashmap.wasm build/session.wasm /usr/local/lib/wasm-sessions/
ENV VALKEY_EXTRA_FLAGS="--loadmodule /usr/local/lib/wasm-sessions/host.so"
