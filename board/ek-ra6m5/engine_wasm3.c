/* See engine.h: core.wasm in wasm3, which stands in the image beside it. Relies on: wasm3_glue.c. */
#include "core_wasm.h"
#include "engine.h"
#include "trap.h"
#include "wasm3_glue.h"

static struct core core;

static uint32_t trap_code_of(const char *reason) {
  if (reason == m3Err_trapUnreachable) return TRAP_UNREACHABLE;
  if (reason == m3Err_trapOutOfBoundsMemoryAccess) return TRAP_BOUNDS;
  if (reason == m3Err_trapDivisionByZero || reason == m3Err_trapIntegerOverflow) return TRAP_DIVIDE;
  if (reason == m3Err_trapStackOverflow) return TRAP_WASM_STACK;
  return TRAP_WASM_OTHER;
}

static void expect(const char *reason) {
  if (reason) trap_reset(trap_code_of(reason));
}

void engine_load(void) {
  if (core_load(&core, core_wasm, core_wasm_size)) trap_reset(TRAP_LOAD);
}

int32_t engine_start(int32_t mode, int32_t trap_code) {
  int32_t answer;
  expect(core_start(&core, mode, trap_code, &answer));
  return answer;
}

int32_t engine_take(int32_t count) {
  int32_t answer;
  expect(core_take(&core, count, &answer));
  return answer;
}

int32_t engine_give(void) {
  int32_t answer;
  expect(core_give(&core, &answer));
  return answer;
}

uint8_t *engine_memory(void) {
  return core_memory(&core);
}
