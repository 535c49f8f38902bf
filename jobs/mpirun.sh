#!/usr/bin/env bash
# Runs a program on N ranks of this machine (or of the allocation that mpirun finds) with what the machine needs:
#
#   jobs/mpirun.sh -n N PROGRAM [ARGUMENT...]
#
#   GAISNET_MPIRUN_OPTIONS   more options of mpirun, split at blanks, for example "--hostfile hosts"
#
# One rank runs without mpirun. The working directory is the caller's and the exit code the program's: 75, which means
# "stopped by a signal after a round, resumable", comes through. SIGTERM and SIGUSR1 reach the ranks as SIGUSR1, SIGINT
# (Ctrl-C) as SIGUSR2, a second SIGINT as SIGUSR1 after it, which ends them at once. Until they listen, ranks ignore both;
# so they are told again each second.
set -euo pipefail
early= # a signal came before there was anybody to tell
trap 'early=75' TERM USR1
trap 'early=130' INT

usage() {
    printf 'usage: %s -n N PROGRAM [ARGUMENT...]\n' "$0" >&2
    exit 2
}

[[ $# -ge 3 && $1 == -n ]] || usage
if [[ ! $2 =~ ^[1-9][0-9]{0,5}$ ]]; then
    printf '%s: error: -n %s: the number of ranks is a whole number from 1\n' "$0" "$2" >&2
    exit 2
fi
ranks=$2
shift 2
if ! command -v -- "$1" >/dev/null; then # mpirun would say so in twelve lines
    printf '%s: error: %s is no program that can be run\n' "$0" "$1" >&2
    exit 127
fi
# nproc believes OMP_NUM_THREADS, which says nothing of ranks.
cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)

if [[ $ranks -eq 1 && -z ${GAISNET_MPIRUN_OPTIONS:-} ]]; then
    [[ -z $early ]] || exit "$early"
    exec "$@"
fi
if ! command -v mpirun >/dev/null && ! command -v mpiexec >/dev/null; then
    printf '%s: error: %d ranks need MPI, but neither mpirun nor mpiexec is found\n' "$0" "$ranks" >&2
    exit 127
fi
read -r -a more <<<"${GAISNET_MPIRUN_OPTIONS:-}"

# Not in a pipe: grep would close it early, and mpirun's death by SIGPIPE would count under pipefail.
version=$(mpirun --version 2>/dev/null || true)
if [[ $version != *"Open MPI"* ]]; then
    exec mpiexec -n "$ranks" ${more[@]+"${more[@]}"} "$@"
fi

options=(-n "$ranks")
quiet=()
# --quiet leaves the program's own message alone: without it mpirun adds a dozen lines to every exit code but 0. But
# over several hosts mpirun alone may know which rank was killed. Open MPI 5 has no such option.
one_host=
if [[ -z ${GAISNET_MPIRUN_OPTIONS:-} && ${SLURM_JOB_NUM_NODES:-1} -eq 1 ]]; then
    one_host=1
    [[ ! $version =~ "Open MPI) "[1-4]\. ]] || quiet=(--quiet)
elif [[ $version =~ "Open MPI) "[1-4]\. ]]; then
    # Without this mpirun waits for a lost host for a quarter of an hour after the ranks have ended (runtime.silence).
    options+=(--mca oob_tcp_keepalive_time 5 --mca oob_tcp_keepalive_intvl 2 --mca oob_tcp_keepalive_probes 3)
fi
# mpirun wants a way to other hosts even when there is only this one, as in a container.
if ! command -v ssh >/dev/null && ! command -v rsh >/dev/null; then
    export OMPI_MCA_plm_rsh_agent=${OMPI_MCA_plm_rsh_agent:-sh}
fi
if [[ $(id -u) -eq 0 ]]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
# Ranks are not bound to cores: each has threads that decode images ahead and use whatever core is idle.
options+=(--bind-to none)
if [[ $ranks -gt $cores ]]; then
    options+=(--oversubscribe)
    export OMPI_MCA_mpi_yield_when_idle=1 # a rank that waits must not keep a core from one that computes
else
    options+=(--use-hwthread-cpus) # slots are counted in hardware threads: what nproc counts
fi

# What killed runs of this user have left here: Open MPI's folders of an mpirun that is gone, and its shared memory that
# nobody has mapped. Younger than a minute it may be of a run that begins.
remove_leftovers() {
    local path pid
    for path in "${TMPDIR:-/tmp}/ompi.${HOSTNAME%%.*}.$(id -u)"/pid.* "${TMPDIR:-/tmp}"/gaisnet-launch.*; do
        pid=${path#*/pid.}
        pid=${pid##*/gaisnet-launch.}
        pid=${pid%%.*}
        if [[ -O $path && $pid =~ ^[0-9]+$ && ! -e /proc/$pid ]]; then
            rm -rf -- "$path"
        fi
    done
    find /dev/shm -maxdepth 1 -name "vader_segment.${HOSTNAME%%.*}.$(id -u).*" -user "$(id -u)" -mmin +1 2>/dev/null |
        while read -r path; do
            grep -qsF -- "$path" /proc/[0-9]*/maps || rm -f -- "$path"
        done
}
remove_leftovers

# A launch that fails may do so without a word under --quiet: the first rank that starts leaves a mark.
if ! mark=$(mktemp "${TMPDIR:-/tmp}/gaisnet-launch.$$.XXXXXX" 2>/dev/null); then
    printf '%s: error: TMPDIR = %s cannot be written, and MPI needs a folder for its own files; another TMPDIR is accepted\n' \
        "$0" "${TMPDIR:-/tmp}" >&2
    exit 1
fi
trap 'rm -f -- "$mark" "$mark.up"' EXIT

# mpirun answers SIGTERM and SIGINT by killing the ranks a second later, and more time (odls_base_sigkill_timeout) would
# also keep the ranks that are left after a failure. SIGUSR1 and SIGUSR2 it hands on, and the ranks end in good order.
# It runs in a process group of its own (set -m), or a terminal's Ctrl-C would reach it as well.
set -m
# Until mpirun and the ranks listen, they ignore what would end them; mpirun gives its ranks signals as they were at first.
(trap '' USR1 USR2
: >"$mark.up"
# shellcheck disable=SC2016 # the inner shell expands it
exec mpirun ${quiet[@]+"${quiet[@]}"} "${options[@]}" ${more[@]+"${more[@]}"} sh -c \
    'trap "" USR1 USR2; [ ! -e "$0" ] || echo started >>"$0"; exec "$@"' "$mark" "$@") </dev/null &
child=$!
set +m
# every SECONDS COMMAND...: until it fails, or SIGTERM comes.
every() {
    local sleeper=
    trap '[[ -z $sleeper ]] || kill "$sleeper" 2>/dev/null; exit' TERM
    while "${@:2}"; do
        sleep "$1" 3>&- &
        sleeper=$!
        wait "$sleeper"
    done
}

# Once it ignores what would end it, and so do the ranks: mpirun hands a signal on to one that it has just started, too. On
# other hosts their marks cannot be seen, and a rank that never starts must not keep the signal for ever. Fails when mpirun
# is gone.
began=$SECONDS
# shellcheck disable=SC2317 # `every` calls it
signal_child() {
    if [[ ! -e $mark.up ]] ||
        [[ -n $one_host && $(wc -l <"$mark") -lt $ranks && $((SECONDS - began)) -lt 10 ]]; then
        kill -0 "$child"
    else
        kill "-$1" "$child"
    fi
}

teller='' told=''
# Again and again, since the first one may have come too early. $1: the signal's name
tell() {
    [[ $told != "$1" ]] || return 0
    told=$1
    [[ -z $teller ]] || kill "$teller" 2>/dev/null || true
    (every 1 signal_child "$1") </dev/null >/dev/null 2>&1 &
    teller=$!
}
interrupts=0
interrupt() {
    interrupts=$((interrupts + 1))
    case $interrupts in
        1) tell USR2 ;;
        2) tell USR1 ;;
        *) kill -TERM "$child" 2>/dev/null || true ;;
    esac
}
requeue() { [[ $interrupts -gt 0 ]] || tell USR1; }
trap requeue TERM USR1
trap interrupt INT
case $early in
    75) requeue ;;
    130) interrupt ;;
esac
trap 'kill -HUP "$child" 2>/dev/null || true' HUP

# Ranks watch each other until they end, and they end together. One that is stopped then would keep mpirun for ever.
before=
# shellcheck disable=SC2317 # `every` calls it
end_stragglers() {
    local -a left
    local pid
    [[ -e /proc/$child ]] || return
    read -r -a left <<<"$(<"/proc/$child/task/$child/children")"
    for pid in "${left[@]}"; do
        [[ ${#left[@]} -lt $ranks && $(<"/proc/$pid/stat") == *") T "* ]] || left=()
    done
    if [[ ${#left[@]} -gt 0 && $before == "${left[*]}" ]]; then
        printf '%s: error: a rank was stopped when it should have ended; it is killed\n' "$0" >&3
        kill -KILL "${left[@]}"
        return 1
    fi
    before=${left[*]}
}
straggler_watch=
if [[ -n $one_host && -r /proc/$child/task/$child/children ]]; then
    (trap - HUP; every 5 end_stragglers) </dev/null >/dev/null 3>&2 2>/dev/null &
    straggler_watch=$!
fi
while :; do
    code=0
    wait "$child" 2>/dev/null || code=$?
    # A signal ends wait as well, with a code above 128: the child is then still there, or its code is yet to be fetched.
    if [[ $code -le 128 ]]; then
        break
    fi
    if ! kill -0 "$child" 2>/dev/null; then
        code=0
        wait "$child" 2>/dev/null || code=$?
        break
    fi
done
kill ${teller:+"$teller"} ${straggler_watch:+"$straggler_watch"} 2>/dev/null || true
[[ $interrupts -le 1 ]] || code=130
if [[ $code -ne 0 && $interrupts -eq 0 && ${#quiet[@]} -gt 0 && ! -s $mark ]]; then # what is wrong with this mpirun, or where it runs?
    said=$(timeout 20 mpirun "${options[@]}" ${more[@]+"${more[@]}"} true 2>&1 >/dev/null) ||
        printf '%s: error: mpirun could not start %d ranks:\n%s\n' "$0" "$ranks" "$said" >&2
fi
if [[ $code -gt 128 && $code -lt 160 && $interrupts -eq 0 ]]; then
    printf '%s: a rank was ended by signal %d (%s): killed from outside, out of memory, or crashed\n' "$0" \
        "$((code - 128))" "$(kill -l "$((code - 128))" 2>/dev/null || echo unknown)" >&2
    code=1
fi
exit "$code"
