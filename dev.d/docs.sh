# Builds the book from docs/.

repository=https://github.com/chatpush/chatpush/blob/main

# mdBook, which Debian does not have. Cargo builds it, once.
book_builder() {
    command -v mdbook && return 0
    if [ ! -x target/tools/bin/mdbook ]; then
        echo "Building mdBook" >&2
        cargo install --quiet --locked --root target/tools --version 0.5.4 --no-default-features --features search mdbook \
            || return
    fi
    echo target/tools/bin/mdbook
}

build_book() {
    local builder
    builder=$(book_builder)
    MDBOOK_LOG=warn "$builder" build docs
    # Links to files of the repository that are no pages of the book. mdBook has renamed those in Markdown to .html.
    # Those of ARCHITECTURE.md, which is included, are relative to the folder above.
    sed -E -i -e "s|href=\"\.\./([^\"#]*)\.html|href=\"$repository/\1.md|g" \
        -e "s|href=\"\.\./|href=\"$repository/|g" -e 's|href="docs/|href="|g' target/book/*.html
    echo "the book is target/book/index.html"
}
