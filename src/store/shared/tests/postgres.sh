# Runs a PostgreSQL server of its own for one test process: in a folder of its own, reached through a Unix
# socket there. Says "ready FOLDER" when it answers, and then "done" to each command on standard input. The
# server and the folder are gone soon after that is closed, which the end of the test process does, whatever
# ends it.
set -eu

# The server refuses to run as root.
if [ "$(id -u)" = 0 ]; then
  user=postgres
  id -u "$user" >/dev/null 2>&1 || user=nobody
  exec setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --clear-groups sh -c "$SCRIPT"
fi

# Debian keeps the server's programs off the path.
newest=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -z "$newest" ] || PATH=$newest:$PATH
if ! command -v initdb >/dev/null; then
  echo "PostgreSQL is missing; bash tests/run installs it where it may" >&2
  exit 1
fi

# In /tmp, because the path of a socket has at most 107 bytes.
folder=$(mktemp -d /tmp/answerd-postgres-XXXXXX)
cd "$folder"
server=
finish() {
  # At once, as a crash would: the folder goes with it.
  [ -z "$server" ] || { kill -QUIT "$server" && wait "$server"; } 2>/dev/null || true
  cd /
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
trap '' PIPE
fail() {
  cat log >&2
  exit 1
}

# A new database takes a second of processor time to make, and a copy of one a tenth of that. It is made
# once for each version and user, and has its name only when it is whole. A standby copies its primary.
template=/tmp/answerd-initdb-$(id -u)-$(postgres -V | tr -cd '0-9.')
if [ -n "${PRIMARY:-}" ]; then
  pg_basebackup -c fast -R -D data -d "host=$PRIMARY user=answerd application_name=standby" \
    >log 2>&1 || fail
elif [ ! -d "$template" ]; then
  initdb -D data --username=answerd --auth=trust --encoding=UTF8 --no-locale --no-sync --no-instructions \
    >log 2>&1 || fail
  cp -a data copy && mv -T copy "$template" 2>/dev/null || rm -rf copy
else
  cp -a "$template" data
fi
start() {
  postgres -D data -c listen_addresses= -c unix_socket_directories="$folder" -c shared_buffers=16MB \
    -c max_connections=200 >>log 2>&1 </dev/null &
  server=$!
  until pg_isready -q -h "$folder"; do
    kill -0 "$server" 2>/dev/null || fail
    sleep 0.05
  done
}
start
echo "ready $folder"
exec 2>/dev/null
while read -r command; do
  case $command in
    start) start ;;
    # In order, but without waiting for those who are connected.
    stop) kill -INT "$server" && wait "$server" || true ;;
    # As a power cut does, which no process of the server outlives.
    kill)
      kill -KILL "$server" $(cat "/proc/$server/task/$server/children") || true
      wait "$server" || true
      ;;
    promote) pg_ctl promote -w -D data >>log ;;
  esac
  echo "done"
done
