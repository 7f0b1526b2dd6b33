# shellcheck shell=bash
# For scripted.sh, random.sh and images.sh, after lib.sh: a small plan on two scripted hosts, which are names of this machine with a
# real sshd each, and the real program. Every job appends a line of its own to a file.
# What is saved is longer than a sector, so that a power loss can tear its record.
# shellcheck disable=SC2154
KILLER=$work/kill_at_sync.so
# shellcheck disable=SC2154
cc -shared -fPIC -O1 -D_GNU_SOURCE -o "$KILLER" "$here/kill_at_sync.c" -ldl -lpthread || exit 1
# shellcheck disable=SC2034
deploy=(deploy "$work/plan.yml" -c "$work/cluster.yml" --set "folder=$work/effects")

small_prepare() {
    host_start a b
    cluster_of scripted a b >"$work/cluster.yml"
    cat >"$work/plan.yml" <<'EOT'
holdback: 1
plan: scripted
variables: {folder: {about: where the effects go, type: text}}
preflight:
  - {id: folder-is-there, hosts: [a, b], wait-until: {file: "${folder}"}}
deploy:
  - {id: one, hosts: [a, b], remote-shell: {run: 'echo "one $host_name" >>"$folder/effects"'}, if-interrupted: ask}
  - {id: file, hosts: a, edit-conf: {file: "${folder}/conf", format: postgresql, state: present, set: {port: "1"}}}
  - id: pair
    hosts: [a, b]
    serial: 1
    steps:
      - {id: two, remote-shell: {run: 'echo "two $host_name" >>"$folder/effects"; echo "$host_name"; seq 300', save: [name]}, if-interrupted: ask}
      - {id: three, remote-shell: {run: '[ ! -e "$folder/fails" ] || { rm "$folder/fails"; exit 1; }; set -- $name; echo "three $1" >>"$folder/effects"'}, if-interrupted: ask}
  - {id: never, hosts: b, when: {value: name, is: "1"}, remote-shell: {run: "false"}, if-interrupted: ask}
  - {id: there, hosts: a, wait-until: {file: "${folder}/conf", contains: port}}
commit:
  - {id: four, hosts: b, remote-shell: {run: 'echo "four" >>"$folder/effects"'}, if-interrupted: ask}
rollback:
  - id: undo
    when: {may-have-happened: one}
    hosts: a
    steps:
      - {id: file-back, edit-conf: {restore: file}}
      - {id: five, remote-shell: {run: 'echo "five" >>"$folder/effects"'}, if-interrupted: ask}
EOT
}

small_begin() {
    rm -rf "$work/journal" "$work/effects" "$work"/home-*/.holdback
    mkdir -p "$work/effects"
}

# Types a command, which is killed at a sync (AT 0: is not).
small_type() { # AT BEFORE COMMAND...
    local at=$1 before=$2
    shift 2
    # The shell's own word about a kill goes nowhere.
    {
        HOLDBACK_KILL_AT=$at HOLDBACK_KILL_BEFORE=$before LD_PRELOAD=$KILLER \
            "$HOLDBACK" "$@" --yes --journal "$work/journal" </dev/null >"$work/out" 2>"$work/err"
    } 2>/dev/null
}

# "deploying", ..., or nothing: there is no run.
small_state() {
    "$HOLDBACK" runs --journal "$work/journal" 2>/dev/null |
        grep -oE 'committing|committed|rolling-back|rolled-back|deployed|deploying|refused|preflight' | head -1
}

# All that a run leaves.
small_outcome() {
    sort "$work/effects/effects" 2>/dev/null
    cat "$work/effects/conf" 2>/dev/null
    small_state
    find "$work"/home-*/.holdback 2>/dev/null
    return 0
}
