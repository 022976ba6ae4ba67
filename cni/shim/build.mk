# Builds the shim: one static file, no libraries but libc. The version comes from pyproject.toml. musl is
# used if it is installed: its programs start in 0.15 ms, glibc's static ones in 0.5 ms, because glibc
# asks the processor for its features, which is slow in a virtual machine.
# Another architecture: make build/arm64/netplane SHIM_OUT=build/arm64/netplane SHIM_CC=aarch64-linux-gnu-gcc

SHIM_CC ?= $(firstword $(shell command -v musl-gcc) $(CC))
SHIM_CFLAGS ?= -O2
SHIM_OUT ?= build/netplane
SHIM_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

$(SHIM_OUT): cni/shim/netplane.c cni/shim/build.mk pyproject.toml
	@mkdir -p $(@D)
	$(SHIM_CC) -std=c11 $(SHIM_CFLAGS) -Wall -Wextra -Werror -static -s \
		-DNETPLANE_VERSION='"v$(SHIM_VERSION)"' -o $@.new $<
	@mv -f $@.new $@
