# The official image of Valkey, with CUSTOM.* and SESSION.*: valkey-entrypoint.sh has its start add them. In the folder of the installed
# package, or of a clone after `npm run build`:
#   docker build -f docker/valkey.Dockerfile -t valkey-wasm .
ARG TAG=9.1.2-trixie
FROM valkey/valkey:${TAG}
COPY --chmod=755 build/host.so build/hashmap.wasm build/session.wasm /usr/local/lib/redis-wasm/
COPY --chmod=755 docker/valkey-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["valkey-entrypoint.sh"]
CMD ["valkey-server"]
