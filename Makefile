# lochan: the commands of a user and of a developer. Each target first installs what it needs and is missing
# (tools/setup; apt on Debian and Ubuntu); the work itself is done by CMake (CMakePresets.json) and the scripts in tools/.

PREFIX ?= /usr/local
export DESTDIR

.DEFAULT_GOAL := build
.PHONY: build demo test check bench install python clean help format setup

build: ## Build the release; the command is then build/lochan
	@tools/setup build
	@tools/build release
	@if [ -e build/release/lochan ]; then ln -sfn release/lochan build/lochan; fi

demo: build ## Fill ./demo-lake with the ECB's reference rates and look at it
	@tools/demo

test: ## Build with sanitizers, run every test, end with the count
	@tools/setup build test
	@tools/test

check: ## Format, layers, headers alone, banned calls, sizes
	@tools/setup build check
	@tools/check

bench: build ## Measure speed and memory of the release
	@LOCHAN_BIN=$(CURDIR)/build/lochan bench/run

install: ## Install command, libraries, headers and man page (PREFIX=/usr/local, DESTDIR=)
	@tools/setup build
	@tools/build release -DCMAKE_INSTALL_PREFIX=$(abspath $(PREFIX))
	@cmake --install build/release

python: ## Install the Python package in .venv
	@tools/setup build test
	@tools/python
	@echo "python: .venv/bin/python has lochan $$(.venv/bin/python -c 'import lochan; print(lochan.__version__)')"

format: ## Lay out all C files with clang-format
	@tools/setup build check
	@tools/check --format

setup: ## Install all that building, testing and checking need
	@tools/setup build test check

clean: ## Remove build/ and .venv/ (never a lake)
	rm -rf build .venv

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 18
