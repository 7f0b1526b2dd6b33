#!/usr/bin/env bash
# Another version, as root, by one command; the first time it downloads that version (see prepare.sh).
#   tests/versions/run.sh 17 [PART [ARGUMENT...]]  Debian 13: PostgreSQL 17, Patroni 4.0.7
#   tests/versions/run.sh 13 [PART [ARGUMENT...]]  Debian 11: PostgreSQL 13, Patroni 2.0.2
#   tests/versions/run.sh 11                       PostgreSQL 11 without Patroni: recovery-conf.yml, by recovery_conf.sh
#   tests/versions/run.sh 10                       PostgreSQL 10: the same
# A part is a script of tests/acceptance/. Without one it is holds: plans/blue-green.yml with every hold and both strategies,
# committed and rolled back.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=${1:-} part=${2:-holds}
folder=$("$here/prepare.sh" "$version")
export HOLDBACK_TEST_CLUSTER=${HOLDBACK_TEST_CLUSTER:-v$version-${part//_/-}}
case $version in
    17 | 13) HOLDBACK_TEST_SYSTEM=$folder exec "$here/../acceptance/$part.sh" "${@:3}" ;;
    *) exec "$here/recovery_conf.sh" "$folder" ;;
esac
