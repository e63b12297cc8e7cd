# Builds the book from docs/.

repository=https://github.com/chatpush/chatpush/blob/main

# mdBook, which Debian does not package. Cargo builds it once.
book_builder() {
    command -v mdbook && return 0
    if [ ! -x target/tools/bin/mdbook ]; then
        echo "Building mdBook" >&2
        cargo install --quiet --locked --root target/tools --version 0.5.4 \
            --no-default-features --features search mdbook || return
    fi
    echo target/tools/bin/mdbook
}

build_book() {
    local builder
    builder=$(book_builder)
    MDBOOK_LOG=warn "$builder" build docs
    # Points links to files outside the book at the repository. mdBook has changed .md in them to .html. The
    # links of ARCHITECTURE.md, which the book includes, are relative to the root of the repository.
    sed -E -i -e "s|href=\"\.\./([^\"#]*)\.html|href=\"$repository/\1.md|g" \
        -e "s|href=\"\.\./|href=\"$repository/|g" -e 's|href="docs/|href="|g' target/book/*.html
    echo "the book is target/book/index.html"
}
