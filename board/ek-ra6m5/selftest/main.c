/* The self-test: runs in RAM on behalf of a debugger, measures with the firmware's own drivers, and judges nothing. Flash
 * of the firmware and of a store is never written. Relies on: page.h, selftest.h. */
#include "../clock.h"
#include "../entropy.h"
#include "../faci.h"
#include "../panel.h"
#include "../reg.h"
#include "../sci.h"
#include "../timer.h"
#include "../trap.h"
#include "../watchdog.h"
#include "page.h"
#include "selftest.h"

#define VTOR REG32(0xE000ED08u)
#define CFSR REG32(0xE000ED28u)
#define BFAR REG32(0xE000ED38u)

static volatile struct page *const page = (volatile struct page *)MBS_SELFTEST_PAGE;

static void answer(uint32_t result) {
  page->result = result;
  __asm volatile("dsb");
  page->answered = page->request;
}

__attribute__((noreturn)) static void end(uint32_t result) {
  answer(result);
  for (;;) watchdog_feed();
}

/* What faci.c calls when there is no way back to read mode. */
void trap_reset(uint32_t code) {
  page->words[0] = code;
  end(MBS_SELFTEST_LOST);
}

static void fault(void) {
  page->words[0] = CFSR;
  page->words[1] = BFAR;
  end(MBS_SELFTEST_FAULT);
}

static bool perform(uint32_t command, uint32_t argument, uint32_t *words) {
  switch (command) {
  case MBS_SELFTEST_PART: measure_part(words); return true;
  case MBS_SELFTEST_CLOCKS: measure_clocks(words); return true;
  case MBS_SELFTEST_LOCO: measure_loco(words); return true;
  case MBS_SELFTEST_CRYSTAL: measure_crystal(words); return true;
  case MBS_SELFTEST_CODE: measure_code(words); return true;
  case MBS_SELFTEST_DATA: measure_data(words); return true;
  case MBS_SELFTEST_ENTROPY: return measure_entropy(argument, words);
  case MBS_SELFTEST_PANEL: measure_panel(argument, words); return true;
  case MBS_SELFTEST_UART: measure_uart(argument, words); return true;
  }
  return false;
}

static void serve(void) {
  uint32_t words[MBS_SELFTEST_WORDS];
  for (uint32_t i = 0; i < MBS_SELFTEST_WORDS; i++) words[i] = 0;
  bool known = perform(page->command, page->argument, words);
  for (uint32_t i = 0; i < MBS_SELFTEST_WORDS; i++) page->words[i] = words[i];
  answer(known ? MBS_SELFTEST_DONE : MBS_SELFTEST_UNKNOWN);
}

static void start(void) {
  VTOR = MBS_SELFTEST_BASE;
  page->request = 0;
  page->answered = 0;
  page->result = 0;
  timer_start();
  if (!clock_start()) end(MBS_SELFTEST_CLOCK);
  watchdog_start();
  panel_start();
  entropy_start();
  faci_start();
  sci_start();
  page->hello = MBS_SELFTEST_HELLO;
  for (;;) {
    watchdog_feed();
    watch_panel();
    if (page->request != page->answered) serve();
  }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
  (void *)MBS_SELFTEST_STACK_TOP, start, fault, fault, fault, fault, fault, fault,
  fault, fault, fault, fault, fault, fault, fault, fault,
};
