# The usual tasks. Building is CMake's and cargo's business; this only calls them.
BUILD ?= build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
MAKEFLAGS += --no-print-directory

.PHONY: all setup build demo test test-sheepdog bench install deb clean

all: build

setup:
	@tools/setup.sh

build: setup
	cmake -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	cmake --build $(BUILD) --parallel $(JOBS)

demo: build
	tools/demo.sh $(BUILD)/tools/glance-store

test: build
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo test
	ctest --test-dir $(BUILD) --output-on-failure --no-tests=error

# On a real cluster, as far as any can show it: make test-sheepdog SHEEPDOG_ADDR=host:port
# Nothing is formatted; the tests use names of their own, and remove what they added.
test-sheepdog: build
	@test -n "$(SHEEPDOG_ADDR)" || { echo 'usage: make test-sheepdog SHEEPDOG_ADDR=host:port' >&2; exit 1; }
	SHEEPDOG_ADDR='$(SHEEPDOG_ADDR)' ctest --test-dir $(BUILD) --output-on-failure --no-tests=error \
		-R '^(sheepdog|conformance[.]sheepdog)' -E '[.](asan|valgrind|server)$$'

bench: setup
	benches/run.sh
	benches/http.sh
	benches/sheepdog.sh
	benches/rbd.sh
	benches/swift.sh
	benches/s3.sh

install: build
	cmake --install $(BUILD)

deb: build
	cd $(BUILD) && cpack -G DEB

clean:
	rm -rf $(BUILD)
	cargo clean
