# PHP_CONFIG and PHP say for which PHP the extension is built. The path is absolute: cargo works in another folder.
CHATPUSH_TARGET = $(abspath $(top_builddir))/target

$(phplibdir)/chatpush.so: FORCE
	cd $(chatpush_workspace) && PHP_CONFIG=$(PHP_CONFIG) PHP=$(PHP_EXECUTABLE) \
	    $(CARGO) build --profile dist --locked -p chatpush --target-dir $(CHATPUSH_TARGET)
	mkdir -p $(phplibdir)
	cp $(CHATPUSH_TARGET)/dist/libchatpush.so $(phplibdir)/chatpush.so

FORCE:

.PHONY: FORCE
