/* See wasm3_host.h. contract.h names one board, so the instance that is being called is kept in `current`.
 * Relies on: wasm3_glue.c of the board, unchanged. */
#include "wasm3_host.h"
#include "contract.h"
#include "wasm3_glue.h"
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

struct mbs_host {
  struct core core;
  struct mbs_host_board board;
  const char *trap;
  uint8_t wasm[];
};

static struct mbs_host *current;

int32_t board_read(uint32_t region, uint32_t offset, uint8_t *out, uint32_t length) {
  return current->board.read(region, offset, out, length);
}

int32_t board_program(uint32_t region, uint32_t offset, const uint8_t *data, uint32_t length) {
  return current->board.program(region, offset, data, length);
}

int32_t board_erase(uint32_t region, uint32_t offset) {
  return current->board.erase(region, offset);
}

int32_t board_blank(uint32_t region, uint32_t offset, uint32_t length) {
  return current->board.blank(region, offset, length);
}

int32_t board_entropy(uint8_t *out, uint32_t length) {
  return current->board.entropy(out, length);
}

int32_t board_presence(uint32_t lights) {
  return current->board.presence(lights);
}

uint64_t board_clock(void) {
  return current->board.clock();
}

void board_diag(uint32_t code) {
  current->board.diag(code);
}

int32_t board_rate(uint32_t bits) {
  return current->board.rate(bits);
}

EXPORTED struct mbs_host *mbs_host_new(const uint8_t *wasm, uint32_t length, const struct mbs_host_board *board) {
  struct mbs_host *host = calloc(1, sizeof *host + length);
  if (!host) return NULL;
  memcpy(host->wasm, wasm, length);
  host->board = *board;
  host->trap = core_load(&host->core, host->wasm, length);
  return host;
}

EXPORTED const char *mbs_host_trap(const struct mbs_host *host) {
  return host->trap;
}

enum export { START, TAKE, GIVE };

/* A callback may call another instance, so `current` is put back. */
static int32_t call(struct mbs_host *host, enum export export, int32_t first, int32_t second) {
  if (host->trap) return 0;
  struct mbs_host *caller = current;
  int32_t answer = 0;
  current = host;
  if (export == START) host->trap = core_start(&host->core, first, second, &answer);
  else if (export == TAKE) host->trap = core_take(&host->core, first, &answer);
  else host->trap = core_give(&host->core, &answer);
  current = caller;
  return host->trap ? 0 : answer;
}

EXPORTED int32_t mbs_host_start(struct mbs_host *host, int32_t mode, int32_t trap_code) {
  return call(host, START, mode, trap_code);
}

EXPORTED int32_t mbs_host_take(struct mbs_host *host, int32_t count) {
  return call(host, TAKE, count, 0);
}

EXPORTED int32_t mbs_host_give(struct mbs_host *host) {
  return call(host, GIVE, 0, 0);
}

EXPORTED uint8_t *mbs_host_memory(struct mbs_host *host) {
  return core_memory(&host->core);
}

EXPORTED void mbs_host_free(struct mbs_host *host) {
  if (host->core.runtime) m3_FreeRuntime(host->core.runtime);
  if (host->core.environment) m3_FreeEnvironment(host->core.environment);
  free(host);
}
