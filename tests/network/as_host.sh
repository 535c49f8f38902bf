#!/bin/sh
# Takes a host name, in a UTS namespace of its own, and runs a command: as_host.sh NAME COMMAND [ARGUMENT]...
set -eu
hostname "$1"
shift
exec "$@"
