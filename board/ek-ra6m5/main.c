/* Main loop: bytes from the UART into the core, its answers out. The core decides everything; a trap of it ends in
 * trap.c. */
#include "binding.h"
#include "contract.h"
#include "core_wasm.h"
#include "defs.h"
#include "entropy.h"
#include "faci.h"
#include "panel.h"
#include "sci.h"
#include "timer.h"
#include "trap.h"
#include "wasm3_glue.h"
#include "watchdog.h"

#define IDLE_MICROSECONDS 10000 /* without bytes the core is called this often, for its timeouts */

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

/* Sends what the core answered, and what it still has after that. */
static void answer(struct core *core, int32_t count) {
  while (count != 0) {
    if (count < 0 || count > MBS_TX_SIZE) trap_reset(TRAP_CORE_ANSWER);
    sci_send(core_memory(core) + MBS_TX_OFFSET, (uint32_t)count);
    watchdog_feed();
    expect(core_give(core, &count));
  }
}

/* Red and green together, alone, which no core shows; nothing is loaded, nothing is heard. */
static void refuse(void) {
  board_presence(MBS_LIGHT_FAULT | MBS_LIGHT_READY);
  for (;;) {
    watchdog_feed();
    for (volatile uint32_t i = 0; i < 100000; i++) continue; /* some milliseconds */
  }
}

int main(void) {
  timer_start();
  watchdog_start();
  panel_start();
  if (!binding_fits()) refuse();
  entropy_start();
  faci_start();
  sci_start();

  static struct core core;
  uint32_t trap_code;
  int32_t count;
  bool rescue = trap_starting(&trap_code);
  if (core_load(&core, core_wasm, core_wasm_size)) trap_reset(TRAP_LOAD);
  watchdog_feed();
  expect(core_start(&core, rescue ? MBS_START_RESCUE : MBS_START_NORMAL, (int32_t)trap_code, &count));
  trap_started();

  uint8_t *received = core_memory(&core) + MBS_RX_OFFSET;
  uint64_t called = board_clock();
  for (;;) {
    watchdog_feed();
    uint32_t length = sci_receive(received, MBS_RX_SIZE);
    uint64_t now = board_clock();
    if (length == 0 && now - called < IDLE_MICROSECONDS) continue;
    called = now;
    expect(core_take(&core, (int32_t)length, &count));
    answer(&core, count);
  }
}
