# PHP with the built extension.

php_with_extension() {
    php -d "extension=$PWD/target/release/libchatpush.so" "$@"
}

write_stubs() {
    local text
    text=$(php_with_extension php/stubs/generate.php && echo .)
    printf '%s' "${text%.}" >php/stubs/chatpush.stub.php
    echo "php/stubs/chatpush.stub.php is written"
}

check_stubs() {
    php -l php/stubs/chatpush.stub.php && php_with_extension php/stubs/generate.php --check
}

# Runs one suite of tests/phpunit with a private stack.
phpunit_beside_stack() {
    target/release/chatpush-stack run -- \
        php -d "extension=$PWD/target/release/libchatpush.so" "$(command -v phpunit)" \
        --configuration tests/phpunit/phpunit.xml --testsuite "$1"
}
