# The official image of Redis 8, with CUSTOM.* and SESSION.*: its start loads every library in this folder, and the host finds the modules
# beside it. In the folder of the installed package, or of a clone after `npm run build`:
#   docker build -f docker/redis.Dockerfile -t redis-wasm .
ARG TAG=8.2.3-bookworm
FROM redis:${TAG}
COPY --chmod=755 build/host.so build/hashmap.wasm build/session.wasm /usr/local/lib/redis/modules/
