/* Watch over linear memory: every load, store, fill and copy of the translated core comes by here, because inside its page
 * WebAssembly checks none of them. scripts/fuzz/core.ts puts the calls into what wasm2c wrote; layout.h, which it writes as
 * well, says where regions and gaps lie. Included by the translated core and by the harness. */
#pragma once
#include <stdint.h>

/* Accesses that are left to the call in hand: a loop without end runs out of them, the same way on every machine. */
extern uint64_t watch_budget;

/* Marks all of linear memory. Called once. */
void watch_init(void);
/* Ends the run: what, where, how many bytes. */
_Noreturn void watch_found(const char *what, uint64_t at, uint64_t length);

/* One load or store. Functions of watch.c, which the fuzzer does not instrument: its look at every comparison in them would
 * take most of the time, and count as coverage of the core. */
void watch_load(uint64_t at, uint64_t size);
void watch_store(uint64_t at, uint64_t size);
/* A run of bytes that is read, written or filled as a whole. */
void watch_reads(uint64_t at, uint64_t length);
void watch_writes(uint64_t at, uint64_t length);
void watch_fill(uint64_t at, uint64_t length);
