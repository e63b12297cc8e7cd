# The usual names for what ./dev does; ./dev --help lists all of it.
.PHONY: help build demo test

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.* ## /\1  /p' $(MAKEFILE_LIST)

build: ## build the extension and the daemon
	./dev build

demo: ## start the demo chat
	./dev demo

test: ## run every test
	./dev test
