# Sourced: starts a server with a store of its own, every scraper of which answers from the practice
# engine, so that a 5xx is a defect. Sets `url` and `directory`; both are gone when the shell ends.
# ANSWERD_BINARY names a binary that is there already, in the place of a release build.
binary="${ANSWERD_BINARY:-target/release/answerd}"
[ -n "${ANSWERD_BINARY:-}" ] || cargo build --release --locked

directory="$(mktemp -d)"
while read -r scraper; do
  export "ANSWERD_SCRAPERS__${scraper^^}__UPSTREAMS=[\"practice\"]"
done < <(sed -n 's/^\[scrapers\.\(.*\)\]$/\1/p' config.toml)
export ANSWERD_STORE__PATH="$directory/data" ANSWERD_HTTP__BIND=127.0.0.1:0 ANSWERD_LOG__LEVEL=error
coproc SERVER { exec "$binary" serve --json; }
server="$SERVER_PID"
trap 'kill "$server" 2>/dev/null || true; rm -rf "$directory"' EXIT
read -r started <&"${SERVER[0]}"
url="$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' <<<"$started")"
