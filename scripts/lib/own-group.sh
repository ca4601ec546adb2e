# shellcheck shell=bash
# Sourced by the scripts here. One promise: what a command starts ends with it.

# run_in_own_group COMMAND…: runs it as the leader of a process group of its own and returns its exit code. When this shell is told to
# stop, the whole group is; when the command ends and something it started lives on, that is ended too, said aloud, and the code is 70.
run_in_own_group() {
  local status=0

  # Job control is what gives the command its own group; without it, it would also ignore Ctrl-C.
  set -m
  "$@" </dev/null &
  own_group=$!
  set +m

  trap 'stop_own_group; exit 129' HUP
  trap 'stop_own_group; exit 130' INT
  trap 'stop_own_group; exit 143' TERM
  wait "$own_group" || status=$?
  trap - HUP INT TERM

  # A child that was just killed takes a moment to be gone.
  if ! own_group_is_gone 2; then
    printf '%s: something it started was still running and has been ended:\n' "$1" >&2
    ps -A -o pgid=,pid=,args= | awk -v group="$own_group" '$1 == group' >&2 || true
    stop_own_group
    [ "$status" -ne 0 ] || status=70
  fi
  own_group=''
  return "$status"
}

# Asks the group to stop, waits, then ends it. Also for exit traps: without a group it does nothing.
stop_own_group() {
  [ -n "${own_group:-}" ] || return 0
  kill -TERM -- "-$own_group" 2>/dev/null || true
  own_group_is_gone 10 || kill -KILL -- "-$own_group" 2>/dev/null || true
  wait "$own_group" 2>/dev/null || true
  own_group=''
}

# own_group_is_gone SECONDS: true as soon as no process of the group is left, false if that does not happen in time.
own_group_is_gone() {
  local tenths=$(($1 * 10))
  while kill -0 -- "-$own_group" 2>/dev/null; do
    [ "$tenths" -gt 0 ] || return 1
    tenths=$((tenths - 1))
    sleep 0.1
  done
}
