#!/bin/sh
# Copies of the database and of the files, in a folder each below $BACKUP_DIR. Run by the services `backup` and `restore`.
#   watch          makes one a day, at $BACKUP_HOUR (UTC), and one at once where there is none; keeps $BACKUP_KEEP days
#   now            makes one
#   due            succeeds when it is time for the one of the day
#   list           names them
#   check          fails when the newest is older than a day and two hours
#   restore NAME   puts one in the place of the database and among the files, once it has been found whole
# The keys (HUB_SECRET, HUB_DATA_KEY) are in none of them.
set -eu
umask 027

dir=${BACKUP_DIR:-/backup}
data=${DATA_DIR:-/data}
name=${MARIADB_DATABASE:?}
export MYSQL_PWD="${MARIADB_PASSWORD-}"

# The network of the database has no way out, and the hub speaks to it in the clear, too.
server() { echo "--skip-ssl --protocol=tcp --host=${MARIADB_HOST:-db} --port=${MARIADB_PORT:-3306} --user=${MARIADB_USER:?}"; }
say() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"; }
fail() {
  say "$*" >&2
  exit 1
}
# Only whole ones have a name without a dot.
names() { find "$dir" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*Z' -exec basename {} \; | sort; }
whole() { gzip -dc "$1/database.sql.gz" | tail -n 1 | grep -q '^-- Dump completed'; }

now() {
  made=$(date -u +%Y-%m-%dT%H%M%SZ)
  part="$dir/.$made"
  mkdir "$part"
  # In this order: a file is stored before the row that names it.
  mariadb-dump --single-transaction --quick --hex-blob $(server) "$name" | gzip > "$part/database.sql.gz"
  whole "$part" || fail 'the database was not copied to its end'
  # 1: a file went or grew meanwhile. It belongs to no row of the copy.
  tar -C "$data" --exclude=./uploads --exclude=./secret.key -czf "$part/files.tar.gz" . || [ $? -eq 1 ]
  (cd "$part" && sha256sum database.sql.gz files.tar.gz > SHA256SUMS)
  sync
  mv "$part" "$dir/$made"
  say "backup $made: $(du -sh "$dir/$made" | cut -f 1)"
  # Only after one that went well. What was broken off goes, too.
  find "$dir" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*Z' -mtime "+$((${BACKUP_KEEP:-14} - 1))" -exec rm -r {} +
  find "$dir" -mindepth 1 -maxdepth 1 -type d -name '.[0-9]*Z' -mmin +1440 -exec rm -r {} +
}

# Is it time? There is none since the hour last came.
due() {
  hour=${BACKUP_HOUR:-19}
  [ ${#hour} -eq 2 ] || hour=0$hour
  at="$(date -u +%Y-%m-%d)T${hour}0000Z"
  [ ! "$(date -u +%Y-%m-%dT%H%M%SZ)" \< "$at" ] || at="$(date -u -d yesterday +%Y-%m-%d)T${hour}0000Z"
  last=$(names | tail -n 1)
  [ -z "$last" ] || [ "$last" \< "$at" ]
}

watch() {
  trap 'exit 0' TERM INT
  while :; do
    if due; then sh "$0" now || say 'the backup failed, and is tried again in ten minutes' >&2; fi
    sleep 600 &
    wait $!
  done
}

check() { [ -n "$(find "$dir" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*Z' -mmin -1560)" ] || fail 'there is no backup of today'; }

restore() {
  from="$dir/${1:?which one? See: list}"
  [ -d "$from" ] || fail "there is no backup $1"
  (cd "$from" && sha256sum --quiet --check SHA256SUMS) && whole "$from" || fail "the backup $1 is damaged; nothing was touched"
  users=$(mariadb $(server) --skip-column-names --execute="select count(*) from information_schema.processlist where db = '$name' and id <> connection_id()")
  [ "$users" -eq 0 ] || fail 'the hub works on the database: stop web and worker first; nothing was touched'
  mariadb $(server) --execute="drop database if exists \`$name\`; create database \`$name\` character set utf8mb4 collate utf8mb4_bin"
  gzip -dc "$from/database.sql.gz" | mariadb $(server) "$name"
  tar -C "$data" --no-same-owner -xzf "$from/files.tar.gz"
  say "backup $1 is restored"
}

case "${1-}" in
  watch | now | due | check) "$1" ;;
  list) names ;;
  restore) restore "${2-}" ;;
  *) fail 'say watch, now, due, list, check or restore NAME' ;;
esac
