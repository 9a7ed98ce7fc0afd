#!/usr/bin/env bash
# Starts `weir standalone` on this folder with live demo traffic, until interrupted. `make run` calls it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${BIN:-target/release}
data=${DATA:-${XDG_CACHE_HOME:-$HOME/.cache}/weir/quickstart}
started=()

stop() {
  trap - EXIT INT TERM
  for pid in "${started[@]}"; do kill "$pid" 2> /dev/null || true; done
  wait
}
trap stop EXIT INT TERM

"$bin/weir" standalone "$here" --data "$data" "$@" &
weir=$!
started+=("$weir")
for _ in $(seq 100); do
  "$bin/weir" health --data "$data" > /dev/null 2>&1 && break
  kill -0 "$weir" 2> /dev/null || { wait "$weir"; exit $?; }
  sleep 0.1
done

# peer1 and peer2 on 9996, the other exporters on the port of their protocol.
"$bin/flow-generator" -t 127.0.0.1 -p 9996 --protocol netflow5 --exporters 2 --rate 60 > /dev/null &
started+=($!)
"$bin/flow-generator" -t 127.0.0.1 -p 2055 --protocol netflow9 --exporters 3 --rate 120 > /dev/null &
started+=($!)
"$bin/flow-generator" -t 127.0.0.1 -p 4739 --protocol ipfix --exporters 1 --rate 40 > /dev/null &
started+=($!)
"$bin/flow-generator" -t 127.0.0.1 -p 6343 --protocol sflow --exporters 1 --rate 40 > /dev/null &
started+=($!)

echo "Demo traffic runs. Press Ctrl-C to stop; the data stay in $data" >&2
wait "$weir"
