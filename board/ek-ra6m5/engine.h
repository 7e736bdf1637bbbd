/* What runs core.wasm: wasm3 (engine_wasm3.c), or the C that was made of it ahead of time (engine_aot.c). An image has one of them, and
 * nothing else in it knows which. A trap of the core does not come back: it ends in trap_reset, with the same code in both. */
#pragma once
#include <stdint.h>

/* Once, before anything else. */
void engine_load(void);

/* The three exports of the core. */
int32_t engine_start(int32_t mode, int32_t trap_code);
int32_t engine_take(int32_t count);
int32_t engine_give(void);

/* The core's linear memory, 65,536 bytes; it stays where it is. */
uint8_t *engine_memory(void);
