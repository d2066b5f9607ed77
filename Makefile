# Oriel. `make help` lists the targets.

# ---- what, and how ----
V ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 3
SEEDS ?= 200

B := $(if $(filter release,$(V)),build,build-$(V))

WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
BASE := -std=c11 -g -MMD -MP -fPIC -fvisibility=hidden -Iinclude -Isrc -I. -Itests/unit $(WARN) \
        $(if $(WERROR),-Werror)
# What the two sides of --mode=preload say to each other, as a number: one of another build is refused.
WIRE := oriel-preload-wire-$(shell cksum < host/preload/wire.h | tr ' ' -)
BASE += -DORIEL_PRELOAD_WIRE='"$(WIRE)"'
OPT_release := -O2 -fno-tree-slp-vectorize -ffunction-sections  # two counters cost less apart than as a vector
OPT_debug   := -O0
OPT_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT_cov     := -O0 --coverage
LD_release  := -Wl,-T,tools/busy.ld     # what is busy together lies together
LD_asan     := -fsanitize=address,undefined
LD_cov      := --coverage
CFLAGS ?=
ALL_CFLAGS = $(BASE) $(OPT_$(V)) $(OPT_FILE) $(CFLAGS)
ALL_LDFLAGS = $(LD_$(V)) $(LDFLAGS)
Q := $(if $(VERBOSE),,@)

SRC   := $(sort $(wildcard src/*/*.c src/*/*/*.c))
LENS  := $(sort $(wildcard lens/*.c))
LAB   := $(sort $(wildcard lab/*.c))
DRILL := $(sort $(wildcard host/packetdrill*.c))
HOST  := $(filter-out $(DRILL),$(sort $(wildcard host/*.c)))
DRILL_WITH := host/msghdr.c
SHIM  := $(sort $(wildcard host/preload/*.c))
CLI   := $(sort $(wildcard cli/*.c))
UNIT  := $(sort $(wildcard tests/unit/*/test_*.c))
BUSY  := tests/unit/tcp/test_tcp_exhaustive tests/unit/base/test_csum
BENCH := $(sort $(wildcard bench/*.c))
FUZZ  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
ORACLE := $(sort $(wildcard tests/oracle/*.c))
SIM   := $(sort $(wildcard tests/sim/*.c))
RUN   := $(sort $(wildcard tests/run/*.c))
EXAMPLES := $(sort $(wildcard examples/*.c))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

.PHONY: all lib
all: $(B)/oriel lib
lib: $(B)/liboriel.a $(B)/liboriel.so $(B)/liboriel-packetdrill.so \
     $(B)/liboriel-posix.a $(B)/liboriel-posix.so $(B)/liboriel-preload.so

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

$(B)/obj/cli/%.o $(B)/obj/host/%.o $(B)/obj/tests/%.o: BASE += -DORIEL_LABDIR='"$(PREFIX)/share/oriel/labs"'

# EXPECT_ASSERTS jumps; what it may clobber is not looked at afterwards. Tests are compiled for themselves as
# fast as can be, four times faster than optimised; but for those that compute for long.
$(B)/obj/tests/unit/%.o: BASE += $(if $(findstring clang,$(CC)),,-Wno-clobbered)
$(B)/obj/tests/unit/%.o: OPT_FILE = $(if $(filter $(BUSY),$*),,-O0)
.SECONDARY:

# ---- the library ----

# Internals visible: for our own programs and tests.
$(B)/core.a: $(call obj,$(SRC) $(LENS) $(LAB))
	@rm -f $@
	$(Q)ar rcs $@ $^

# For others: only oriel_* can be seen, in the archive as in the shared object.
$(B)/liboriel.a: $(call obj,$(SRC))
	@rm -f $@
	@echo "  AR    $@"
	$(Q)ld -r -o $(B)/liboriel.o $^
	$(Q)objcopy --localize-hidden $(B)/liboriel.o
	$(Q)ar rcs $@ $(B)/liboriel.o

$(B)/liboriel.so: $(call obj,$(SRC))
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,liboriel.so.0 -Wl,-z,defs $^ -o $@
	$(Q)ln -sf liboriel.so $(B)/liboriel.so.0

# Calls of the surface go through host/record.c, where a recording may be made.
RECORDED := -Wl,@host/replay.wrap

# Sockets: the core, worlds, drivers, and include/oriel/posix.h over them.
POSIX := $(SRC) $(LENS) $(LAB) $(HOST)
$(B)/liboriel-posix.a: $(call obj,$(POSIX))
	@rm -f $@
	@echo "  AR    $@"
	$(Q)ld -r @host/replay.wrap -o $(B)/liboriel-posix.o $^
	$(Q)objcopy --localize-hidden $(B)/liboriel-posix.o
	$(Q)ar rcs $@ $(B)/liboriel-posix.o

$(B)/liboriel-posix.so: $(call obj,$(POSIX))
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,liboriel-posix.so.0 -Wl,-z,defs $(RECORDED) $^ -pthread -o $@
	$(Q)ln -sf liboriel-posix.so $(B)/liboriel-posix.so.0

# Oriel where packetdrill expects a kernel: packetdrill --so_filename=build/liboriel-packetdrill.so
$(B)/liboriel-packetdrill.so: $(call obj,$(DRILL) $(DRILL_WITH)) $(B)/core.a
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,liboriel-packetdrill.so -Wl,-z,defs \
	    -Wl,--version-script,host/packetdrill.map $^ -pthread -ldl -o $@

# What `oriel run --mode=preload` puts into programs; they have no sanitizer, so it has none in any variant.
$(B)/liboriel-preload.so: $(SHIM) $(wildcard host/preload/*.h)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE)) $(OPT_release) $(CFLAGS) $(LDFLAGS) -shared -Wl,-z,defs -Wl,-z,initfirst \
	    $(SHIM) -ldl -o $@

$(B)/oriel: $(call obj,$(CLI) $(HOST)) $(B)/core.a
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) $(RECORDED) $^ -o $@

# ---- tests, benches, fuzzers ----

UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT))
.PHONY: unit
unit: $(UNIT_BIN)
$(B)/unit/%: $(B)/obj/tests/unit/%.o $(B)/obj/tests/unit/test.o $(call obj,$(filter-out cli/main.c,$(CLI)) $(HOST)) $(B)/core.a
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %test.o $(B)/obj/tests/unit/$*.o,$^) \
	    $(if $(filter cli/% host/%,$*),$(RECORDED) $(call obj,$(filter-out cli/main.c,$(CLI)) $(HOST))) \
	    $(B)/core.a -lcmocka -o $@

$(B)/unit/host/test_packetdrill: $(B)/liboriel-packetdrill.so

# Where threads meet: the code that meets the system, under the thread sanitizer. The core is one
# thread's at a time and stays as it is.
TSAN := $(patsubst tests/unit/host/%.c,$(B)/tsan/%,$(sort $(wildcard tests/unit/host/test_posix*.c)))
.PHONY: tsan
tsan: $(TSAN)
$(B)/tsan/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -O1 -fsanitize=thread -c $< -o $@
$(B)/tsan/test_%: $(B)/tsan/obj/tests/unit/host/test_%.o $(B)/tsan/obj/tests/unit/test.o \
    $(patsubst %.c,$(B)/tsan/obj/%.o,$(HOST)) $(B)/core.a
	@echo "  LD    $@"
	$(Q)$(CC) -fsanitize=thread $(RECORDED) $^ -lcmocka -o $@

ORACLE_BIN := $(patsubst tests/oracle/%.c,$(B)/oracle/%,$(ORACLE))
.PHONY: oracle
oracle: $(ORACLE_BIN)
$(B)/oracle/%: $(B)/obj/tests/oracle/%.o $(B)/core.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@

# Programs that know nothing of Oriel: the table of socket semantics.
$(B)/run/semantics: $(call obj,$(filter-out tests/run/raw.c,$(RUN)))
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -pthread -o $@
$(B)/run/raw: tests/run/raw.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 $(WARN) -O2 -static $< -o $@

$(B)/sim/sim: $(call obj,$(SIM)) $(B)/core.a
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@

BENCH_BIN := $(patsubst bench/%.c,$(B)/bench/%,$(BENCH))
.PHONY: benches bench
benches: $(BENCH_BIN)
$(B)/bench/%: $(B)/obj/bench/%.o $(B)/core.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@

# Those that meet the system's links.
$(B)/bench/tap $(B)/bench/packet $(B)/bench/xdp $(B)/bench/gateway: $(B)/bench/%: $(B)/obj/bench/%.o $(call obj,$(HOST)) $(B)/core.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@
bench: deps-bench benches
	$(Q)for b in $(BENCH_BIN); do echo "# $$b"; $$b || [ $$? -eq 77 ] || exit 1; done

# QUICK=1: built in a third of the time, to run for a moment.
FZ := build-fuzz$(if $(QUICK),-quick)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(FZ)/%,$(FUZZ))
FUZZ_FLAGS := -std=c11 -g $(if $(QUICK),-O0,-O1) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
              -MMD -MP -Iinclude -Isrc -I. -Itests/unit -Itests/fuzz
.PHONY: fuzz-build fuzz
fuzz-build: $(FUZZ_BIN)
$(FZ)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -c $< -o $@
$(FZ)/core.a: $(patsubst %.c,$(FZ)/obj/%.o,$(SRC) $(LENS) $(LAB))
	@rm -f $@
	$(Q)ar rcs $@ $^
$(FZ)/fuzz_%: $(FZ)/obj/tests/fuzz/fuzz_%.o $(FZ)/core.a
	@echo "  FUZZ  $@"
	$(Q)$(CLANG) $(FUZZ_FLAGS) $^ -o $@
fuzz: deps-test fuzz-build
	$(Q)for f in $(FUZZ_BIN); do echo "# $$f"; $$f -max_total_time=$(FUZZ_SECONDS) -verbosity=0 || exit 1; done

# Every file that has a system below it again with clang, for its warnings alone; the others are WebAssembly's.
CHECKED := $(HOST) $(DRILL) $(SHIM) $(CLI) $(BENCH) $(UNIT) $(SIM) tests/unit/test.c
CHECK_FLAGS = $(filter-out -MMD -MP -g,$(BASE)) -DORIEL_LABDIR='""'
.PHONY: warnings
warnings: $(patsubst %.c,build/warn/%.ok,$(CHECKED))
build/warn/%.ok: %.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CHECK_FLAGS) -MMD -MP -MF build/warn/$*.d -MT $@ -fsyntax-only $<
	$(Q)touch $@

# ---- WebAssembly: no operating system, no C library but string.h ----

WASM_FLAGS := --target=wasm32 -std=c11 -O2 -ffreestanding -nostdlib -isystem tools/wasm \
              -Iinclude -Isrc -I. $(WARN)
.PHONY: wasm
wasm: build/wasm/oriel.wasm
build/wasm/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(WASM_FLAGS) -MMD -MP -c $< -o $@
build/wasm/oriel.wasm: WASM_FLAGS += -Werror
build/wasm/oriel.wasm: $(patsubst %.c,build/wasm/obj/%.o,$(SRC) $(LENS) $(LAB) tools/wasm/libc.c)
	$(Q)wasm-ld --no-entry --export-dynamic $^ -o $@

# ---- people's commands ----

.PHONY: help run test tidy docs sim install dist clean print-sources deps-run deps-test deps-bench
help:
	@echo "make            build/oriel, build/liboriel.a, build/liboriel.so   (V=debug|asan|cov: variants)"
	@echo "make run        two hosts, one connection: the ladder with states and a reason per packet"
	@echo "make test       everything: unit tests, labs, properties, fuzzers; also under sanitizers"
	@echo "make tidy       what the house refuses, and what it reports"
	@echo "make bench      figures, with peers and bounds measured in the same run"
	@echo "make fuzz       every fuzz target (FUZZ_SECONDS=$(FUZZ_SECONDS) each)"
	@echo "make sim        random worlds with all checkers (SEEDS=$(SEEDS))"
	@echo "make docs       regenerate docs/RFC.md and docs/REASONS.md"
	@echo "make install    PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "make dist       build/oriel-VERSION.tar.gz"

deps-run:
	@tools/deps.sh run
deps-test:
	@tools/deps.sh test
deps-bench:
	@tools/deps.sh bench

run: deps-run
	$(Q)$(MAKE) --no-print-directory -s all
	$(Q)build/oriel lab run hello --ladder -w build/hello.pcapng
	@echo "The capture, with the reason for each packet as a comment: build/hello.pcapng"
	@echo "Look at it: build/oriel dump -r build/hello.pcapng 'tcp.port == 42181'    or in Wireshark"

test: deps-test
	$(Q)tools/test.sh

tidy: deps-test
	$(Q)$(MAKE) --no-print-directory -s print-sources > build/sources.txt
	$(Q)tools/tidy.py --sources build/sources.txt

docs: all
	$(Q)tools/rfc.py
	$(Q)tools/reasons.py --docs

sim: deps-run
	$(Q)$(MAKE) --no-print-directory -s build/sim/sim
	$(Q)tools/sim.sh build/sim/sim $(SEEDS)

print-sources:
	@printf '%s\n' $(SRC) $(LENS) $(LAB) $(HOST) $(DRILL) $(SHIM) $(CLI) $(UNIT) tests/unit/test.c $(BENCH) \
	    $(FUZZ) \
	    $(ORACLE) $(SIM) $(RUN) $(EXAMPLES) tools/wasm/libc.c

VERSION := $(shell sed -n 's/^#define ORIEL_VERSION "\(.*\)"/\1/p' include/oriel/oriel.h)
I := $(DESTDIR)$(PREFIX)
install: all
	install -d $(I)/bin $(I)/lib/pkgconfig $(I)/include/oriel $(I)/share/oriel/labs $(I)/share/man/man1 \
	    $(I)/share/bash-completion/completions $(I)/share/zsh/site-functions $(I)/share/fish/vendor_completions.d
	install -m 755 build/oriel $(I)/bin/oriel
	install -m 644 build/liboriel.a $(I)/lib/liboriel.a
	install -m 755 build/liboriel.so $(I)/lib/liboriel.so.$(VERSION)
	ln -sf liboriel.so.$(VERSION) $(I)/lib/liboriel.so.0
	ln -sf liboriel.so.0 $(I)/lib/liboriel.so
	install -m 755 build/liboriel-packetdrill.so $(I)/lib/liboriel-packetdrill.so
	install -m 755 build/liboriel-preload.so $(I)/lib/liboriel-preload.so
	install -m 644 build/liboriel-posix.a $(I)/lib/liboriel-posix.a
	install -m 755 build/liboriel-posix.so $(I)/lib/liboriel-posix.so.$(VERSION)
	ln -sf liboriel-posix.so.$(VERSION) $(I)/lib/liboriel-posix.so.0
	ln -sf liboriel-posix.so.0 $(I)/lib/liboriel-posix.so
	install -m 644 include/oriel/oriel.h include/oriel/posix.h $(I)/include/oriel/
	install -m 644 labs/*.lab $(I)/share/oriel/labs/
	for pc in oriel oriel-posix; do \
	    sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' tools/$$pc.pc.in > $(I)/lib/pkgconfig/$$pc.pc; \
	done
	tools/man.sh build/oriel $(I)/share/man/man1
	build/oriel help --completion bash > $(I)/share/bash-completion/completions/oriel
	build/oriel help --completion zsh > $(I)/share/zsh/site-functions/_oriel
	build/oriel help --completion fish > $(I)/share/fish/vendor_completions.d/oriel.fish

dist:
	git archive --prefix=oriel-$(VERSION)/ -o build/oriel-$(VERSION).tar.gz HEAD
	@echo build/oriel-$(VERSION).tar.gz

clean:
	rm -rf build build-asan build-debug build-cov build-fuzz build-fuzz-quick

-include $(shell find $(B)/obj $(B)/tsan/obj $(FZ)/obj build/wasm/obj build/warn -name '*.d' 2>/dev/null)
