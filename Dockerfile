# syntax=docker/dockerfile:1
# Truewatt in a container: one binary, one volume, run as nobody in particular.
#
#   docker build -t truewatt .
#   docker run -p 8080:8080 -v truewatt:/data -e TRUEWATT__SERVER__PUBLIC_URL=https://hub.example.com truewatt
#
# Dependencies are compiled in a layer of their own, so that a changed line of Truewatt costs seconds and not minutes.

FROM rust:1.95-bookworm AS build
WORKDIR /build

# 1. Dependencies: only the lists of them, and programs that do nothing.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir src benches \
 && echo '//! Nothing yet.' > src/lib.rs \
 && printf '//! Nothing yet.\nfn main() {}\n' | tee src/main.rs > benches/signatures.rs \
 && cargo build --release --locked --bin truewatt \
 && rm -rf src target/release/truewatt target/release/.fingerprint/truewatt-*

# 2. Truewatt. The fingerprints above are gone because a copied file keeps its old date and would pass for built.
COPY migrations migrations
COPY openapi openapi
COPY src src
RUN cargo build --release --locked --bin truewatt \
 && mkdir /empty

# The C library, the certificates partners are checked with, and nothing to log in to.
FROM gcr.io/distroless/cc-debian12
COPY --from=build /build/target/release/truewatt /usr/local/bin/truewatt
# A new volume takes over the owner of the folder it is mounted on.
COPY --from=build --chown=65532:65532 /empty /data
USER 65532:65532
WORKDIR /data
VOLUME /data
ENV TRUEWATT__SERVER__BIND=0.0.0.0:8080 \
    TRUEWATT__DATABASE__URL=sqlite:///data/truewatt.db
EXPOSE 8080
# SIGTERM: doors stop accepting, what is under way is finished.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["truewatt", "health", "--url", "http://127.0.0.1:8080"]
ENTRYPOINT ["truewatt"]
CMD ["serve"]
