# What the tests in a fresh root of Debian share. They have set `php` and `redis`; this starts the servers.
extension=php$php-chatpush

step() { echo "ok   $redis: $*"; }
fail() {
    echo "FAILED $redis: $*" >&2
    tail -n 20 /tmp/*.log >&2 || true
    exit 1
}
# Tries a command until it succeeds, or until a minute has passed.
eventually() {
    local deadline=$((SECONDS + 60))
    until "$@" >/tmp/eventually.log 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "never: $*"
        sleep 0.1
    done
}
sql() { mariadb --batch --skip-column-names app -e "$1"; }
is() { [ "$1" = "$2" ] || fail "$3: '$1' is not '$2'"; }
# Everything that the packages depend on is there: this root has no network.
apt() { apt-get -qy -o Dpkg::Options::=--force-confold "$@" >/tmp/apt.log 2>&1 || fail "apt-get $*"; }
as_daemon() { runuser -u chatpush -- chatpushd "$@"; }
# The database and the key of PHP, as an administrator does after installing the packages.
configure() {
    sed -i 's|^\[mysql\]|&\nurl = "mysql://app:password@127.0.0.1/app"|' /etc/chatpush/chatpush.toml
    install -m 640 /dev/null "/etc/php/$php/mods-available/chatpush-secret.ini"
    echo "chatpush.secret = \"$(cat /etc/chatpush/secret)\"" >"/etc/php/$php/mods-available/chatpush-secret.ini"
    phpenmod chatpush-secret
    as_daemon migrate >/tmp/migrate.log 2>&1 || fail "migrate"
    sql "INSERT INTO user (id, username, password) VALUES (1, 'one', ''), (2, 'two', '')"
}

install -d -o mysql -g mysql /run/mysqld
mariadbd --user=mysql --bind-address=127.0.0.1 >/tmp/mariadbd.log 2>&1 &
mkdir /tmp/redis
"$redis" --dir /tmp/redis --appendonly yes --maxmemory-policy noeviction >/tmp/redis.log 2>&1 &
eventually mariadb-admin ping
mariadb -e "CREATE DATABASE app; CREATE USER app@'127.0.0.1' IDENTIFIED BY 'password';
            GRANT ALL ON app.* TO app@'127.0.0.1'"
step "$(mariadbd --version 2>/dev/null | grep -o '[0-9.]*-MariaDB'), $("$redis" --version | grep -o 'v=[0-9.]*'), PHP $php"
