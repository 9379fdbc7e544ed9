#!/bin/sh
# Starts a PostgreSQL, a synchronous standby of it and two answerd processes on both, for a trial on one
# machine. Needs PostgreSQL 14 or newer (on Debian `apt-get install postgresql`) and answerd on the path,
# or its path as the first argument. Everything is in one new folder below /tmp, and is gone after Ctrl-C.
#
#   sh trial.sh [ANSWERD]
#
# TRIAL_PORTS has the ports of the two processes, "8081 8082" by default.
set -eu

fail() {
  echo "trial.sh: $1" >&2
  exit 1
}
answerd=${1:-answerd}
command -v "$answerd" >/dev/null || fail "there is no $answerd; give its path as the first argument"
# Debian keeps the server's programs off the path.
newest=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -z "$newest" ] || PATH=$newest:$PATH
command -v initdb >/dev/null || fail "PostgreSQL is missing; on Debian: apt-get install postgresql"

folder=$(mktemp -d /tmp/answerd-trial-XXXXXX)
chmod 755 "$folder"
# The server refuses to run as root.
as=
if [ "$(id -u)" = 0 ]; then
  # Where PostgreSQL has no user, the one that owns nothing.
  user=$(id -un postgres 2>/dev/null || id -un 65534)
  as="setpriv --reuid=$(id -u "$user") --regid=$(id -g "$user") --clear-groups"
fi

nodes= servers=
finish() {
  # A second signal does not end this half-way.
  trap '' HUP INT TERM
  trap - EXIT
  # The processes first: they give back what they have. They end within their grace.
  [ -z "$nodes" ] || kill $nodes 2>/dev/null || true
  for node in $nodes; do wait "$node" || true; done
  [ -z "$servers" ] || kill -INT $servers 2>/dev/null || true
  for server in $servers; do wait "$server" || true; done
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 0' HUP INT TERM

# Runs the server of a folder. In a session of its own, so that Ctrl-C reaches this script alone.
start_server() {
  $as setsid postgres -D "$folder/$1/data" -c listen_addresses= -c unix_socket_directories="$folder/$1" \
    -c max_connections=100 >>"$folder/$1/log" 2>&1 </dev/null &
  servers="$servers $!"
  until pg_isready -q -h "$folder/$1"; do
    kill -0 $! 2>/dev/null || fail "PostgreSQL did not start: $(tail -n 3 "$folder/$1/log")"
    sleep 0.1
  done
}
sql() {
  psql -qX -h "$folder/$1" -U answerd -d postgres -c "$2" >/dev/null
}

for name in primary standby; do
  mkdir "$folder/$name"
  [ -z "$as" ] || chown "$user" "$folder/$name"
done
cd "$folder/primary"
$as initdb -D "$folder/primary/data" --username=answerd --auth=trust --encoding=UTF8 --no-locale \
  >"$folder/primary/log" 2>&1 || fail "initdb failed: $(tail -n 3 "$folder/primary/log")"
start_server primary
$as pg_basebackup -c fast -R -D "$folder/standby/data" \
  -d "host=$folder/primary user=answerd application_name=standby" >"$folder/standby/log" 2>&1 ||
  fail "the standby could not be made: $(tail -n 3 "$folder/standby/log")"
start_server standby
sql primary "ALTER SYSTEM SET synchronous_standby_names = 'standby'"
sql primary "SELECT pg_reload_conf()"

number=0
for port in ${TRIAL_PORTS:-8081 8082}; do
  number=$((number + 1))
  name=node-$number
  mkdir "$folder/$name"
  # No standby is required, so that the trial goes on with the standby alone once that is promoted.
  (
    cd "$folder/$name"
    export ANSWERD_STORE__URL="postgres://answerd@/postgres?host=$folder/primary&host=$folder/standby"
    export ANSWERD_STORE__REQUIRE_STANDBY=false ANSWERD_STORE__PATH="$folder/$name/data"
    export ANSWERD_NODE__NAME="$name" ANSWERD_HTTP__BIND="127.0.0.1:$port"
    exec setsid "$answerd" serve --json >url 2>log </dev/null
  ) &
  nodes="$nodes $!"
  until grep -qs '"url"' "$folder/$name/url"; do
    kill -0 $! 2>/dev/null || fail "$name did not start: $(cat "$folder/$name/url")"
    sleep 0.1
  done
  echo "$name: $(sed 's/.*"url":"\([^"]*\)".*/\1/' "$folder/$name/url")"
done
cat <<TEXT
Both answer for the jobs of all. To see what a failure does:
  kill a process:       kill -9$(echo "$nodes" | sed 's/ [0-9]*$//')
  kill the primary:     kill -9 $(head -n 1 "$folder/primary/data/postmaster.pid")
  promote the standby:  psql -h $folder/standby -U answerd -d postgres -c 'SELECT pg_promote()'
The logs are in $folder. Ctrl-C ends all of it.
TEXT
for node in $nodes; do wait "$node" || true; done
