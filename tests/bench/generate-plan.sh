#!/usr/bin/env bash
# Prints a valid plan of COUNT steps of several actions, about 100 bytes each, for `holdback check`.
#   generate-plan.sh [COUNT]
set -euo pipefail

cat <<'END'
holdback: 1
plan: generated
about: A plan as long as nobody writes one by hand.
variables:
  schema: {about: where the tables are, type: text, default: public}
  folder: {about: where the markers are, type: text, default: /var/tmp}
  memory: {about: what a session may use, type: size, default: 64MB}
roles:
  leader: {patroni: leader, one: true}
  replicas: {patroni: replica}
defaults: {as: postgres, timeout: 60s}
deploy:
END
awk -v count="${1:-10000}" 'BEGIN {
    for (n = 1; n <= count; n++) {
        kind = n % 5
        if (kind == 0)
            printf "  - {id: table-%d, hosts: leader, sql: {run: \"CREATE TABLE ${schema:identifier}.t%d (id int)\"}}\n", n, n
        else if (kind == 1)
            printf "  - id: marker-%d\n    hosts: replicas\n    timeout: 5m\n    remote-shell: {creates: \"${folder}/%d\", run: touch \"$folder/%d\"}\n", n, n, n
        else if (kind == 2)
            printf "  - id: conf-%d\n    hosts: [leader, replicas]\n    edit-conf:\n      file: /etc/app/%d.conf\n      format: ini\n      set: {pool.size: %d, pool.memory: \"${memory}\"}\n", n, n, n
        else if (kind == 3)
            printf "  - {id: seen-%d, hosts: leader, wait-until: {sql: \"SELECT count(*) > %d FROM pg_class\", every: 1s}}\n", n, n
        else
            printf "  - {id: there-%d, hosts: replicas, wait-until: {shell: test -e \"$folder/%d\"}}\n", n, n
    }
}'
