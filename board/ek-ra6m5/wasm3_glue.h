/* core.wasm in wasm3: load it, call its three exports, reach its linear memory. Used by the board and by the host. */
#pragma once
#include "wasm3.h"
#include <stdint.h>

/* A board function that answers this ends the call with core_stopped, as a power cut would. Only the host's medium
 * does. */
#define CORE_STOP INT32_MIN
extern const char core_stopped[];

struct core {
  IM3Environment environment;
  IM3Runtime runtime;
  IM3Function start, take, give;
};

/* What follows returns NULL, or the reason why not (a constant string). */

/* Compiles all functions at once, so that the arena does not grow later. `wasm` must outlive the core. */
const char *core_load(struct core *core, const uint8_t *wasm, uint32_t length);
const char *core_start(struct core *core, int32_t mode, int32_t trap_code, int32_t *answer);
const char *core_take(struct core *core, int32_t count, int32_t *answer);
const char *core_give(struct core *core, int32_t *answer);

/* The linear memory, 65,536 bytes; it stays where it is. NULL before core_load succeeded. */
uint8_t *core_memory(struct core *core);

