/* Main loop: bytes from the UART into the core, its answers out. The core decides everything; a trap of it ends in
 * trap.c. */
#include "binding.h"
#include "contract.h"
#include "defs.h"
#include "engine.h"
#include "entropy.h"
#include "faci.h"
#include "panel.h"
#include "sci.h"
#include "timer.h"
#include "trap.h"
#include "watchdog.h"

#define IDLE_MICROSECONDS 10000 /* without bytes the core is called this often, for its timeouts */

/* Sends what the core answered, and what it still has after that. */
static void answer(int32_t count) {
  while (count != 0) {
    if (count < 0 || count > MBS_TX_SIZE) trap_reset(TRAP_CORE_ANSWER);
    sci_send(engine_memory() + MBS_TX_OFFSET, (uint32_t)count);
    watchdog_feed();
    count = engine_give();
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

  uint32_t trap_code;
  bool rescue = trap_starting(&trap_code);
  engine_load();
  watchdog_feed();
  engine_start(rescue ? MBS_START_RESCUE : MBS_START_NORMAL, (int32_t)trap_code);
  trap_started();

  uint8_t *received = engine_memory() + MBS_RX_OFFSET;
  uint64_t called = board_clock();
  for (;;) {
    watchdog_feed();
    uint32_t length = sci_receive(received, MBS_RX_SIZE);
    uint64_t now = board_clock();
    if (length == 0 && now - called < IDLE_MICROSECONDS) continue;
    called = now;
    answer(engine_take((int32_t)length));
    sci_settle();
  }
}
