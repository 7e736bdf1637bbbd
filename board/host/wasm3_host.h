/* core.wasm in wasm3 on the host, as a shared library (build/wasm3-host.so) for a foreign-function interface. The
 * core meets the glue and the interpreter of the board; the nine board functions are the caller's. Instances are
 * independent of each other; all calls come from one thread. */
#pragma once
#include <stdint.h>

/* As in contract.h. An answer of MBS_HOST_STOP ends the call at once, as a power cut would. */
#define MBS_HOST_STOP INT32_MIN /* CORE_STOP of wasm3_glue.h */
struct mbs_host_board {
  int32_t (*read)(uint32_t region, uint32_t offset, uint8_t *out, uint32_t length);
  int32_t (*program)(uint32_t region, uint32_t offset, const uint8_t *data, uint32_t length);
  int32_t (*erase)(uint32_t region, uint32_t offset);
  int32_t (*blank)(uint32_t region, uint32_t offset, uint32_t length);
  int32_t (*entropy)(uint8_t *out, uint32_t length);
  int32_t (*presence)(uint32_t lights);
  uint64_t (*clock)(void);
  void (*diag)(uint32_t code);
  int32_t (*rate)(uint32_t bits);
};

struct mbs_host;

/* Copies wasm and board, loads and compiles. NULL only without memory; look at mbs_host_trap. */
struct mbs_host *mbs_host_new(const uint8_t *wasm, uint32_t length, const struct mbs_host_board *board);

/* Why the last call did not return by itself, or why loading failed. NULL when all is well; after that a call does
 * nothing. */
const char *mbs_host_trap(const struct mbs_host *host);

/* The three exports of the core; 0 after a trap. */
int32_t mbs_host_start(struct mbs_host *host, int32_t mode, int32_t trap_code);
int32_t mbs_host_take(struct mbs_host *host, int32_t count);
int32_t mbs_host_give(struct mbs_host *host);

/* The core's linear memory, 65,536 bytes, until mbs_host_free. NULL when loading failed. */
uint8_t *mbs_host_memory(struct mbs_host *host);

void mbs_host_free(struct mbs_host *host);
