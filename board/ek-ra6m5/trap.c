/* Record of the last trap in RAM that no start clears, so that three failed starts lead to rescue (design: always
 * mounts). Registers: AIRCR, Armv8-M ARM (DDI 0553) D1.2.3; RSTSR1 0x4001E0C0 and PRCR 0x4001E3FE, FSP R7FA6M5BH.h
 * (R_SYSTEM). */
#include "contract.h"
#include "reg.h"
#include "trap.h"

#define AIRCR REG32(0xE000ED0Cu)
#define AIRCR_RESET 0x05FA0004u /* key, SYSRESETREQ */
#define PRCR REG16(0x4001E3FEu)
#define PRCR_OPEN_PRC1 0xA502u
#define PRCR_CLOSE 0xA500u
#define RSTSR1 REG16(0x4001E0C0u)
#define RSTSR1_WDTRF 0x0002u

#define STARTS_MAX 3
#define MAGIC 0x4D425354u

extern uint32_t __arena_start[], __arena_end[], __stack_limit[], __stack_top[];

static struct {
  uint32_t magic;
  uint32_t starting; /* 1 from trap_starting to trap_started */
  uint32_t failed;   /* starts in a row that did not end */
  uint32_t code;
  uint32_t check; /* after power-up the memory holds noise */
} record __attribute__((section(".noinit")));

RAMFUNC static uint32_t check_of_record(void) {
  return ~(record.magic ^ record.starting << 8 ^ record.failed << 16 ^ record.code * 0x9E3779B1u);
}

RAMFUNC static void record_failure(uint32_t code) {
  if (record.magic != MAGIC || record.check != check_of_record()) record.failed = record.starting = 0;
  record.failed += record.starting;
  record.magic = MAGIC;
  record.starting = 0;
  record.code = code;
  record.check = check_of_record();
}

RAMFUNC void trap_reset(uint32_t code) {
  record_failure(code);
  for (volatile uint32_t *word = __arena_start; word < __arena_end; word++) *word = 0;
  /* Nothing comes back, so the whole stack goes too, in one piece that keeps nothing on it. */
  uint32_t *at = __stack_limit;
  __asm volatile("1: str %2, [%0], #4\n"
                 "cmp %0, %1\n"
                 "blo 1b\n"
                 "dsb"
                 : "+r"(at)
                 : "r"(__stack_top), "r"(0)
                 : "memory", "cc");
  AIRCR = AIRCR_RESET;
  __asm volatile("dsb");
  for (;;) continue;
}

bool trap_starting(uint32_t *code) {
  if (record.magic != MAGIC || record.check != check_of_record()) {
    record.failed = record.starting = 0;
    record.code = TRAP_NONE;
  }
  if (RSTSR1 & RSTSR1_WDTRF) {
    record_failure(TRAP_WATCHDOG);
    PRCR = PRCR_OPEN_PRC1;
    RSTSR1 = RSTSR1 & (uint16_t)~RSTSR1_WDTRF;
    PRCR = PRCR_CLOSE;
  }
  bool rescue = record.failed >= STARTS_MAX;
  *code = record.code;
  record.magic = MAGIC;
  record.starting = 1;
  record.check = check_of_record();
  return rescue;
}

void trap_started(void) {
  record.starting = record.failed = 0;
  record.check = check_of_record();
}

/* For the C library and the interpreter. */
void abort(void) {
  trap_reset(TRAP_ABORT);
}

/* The last code of the core, for a debugger. */
volatile uint32_t trap_diag;

void board_diag(uint32_t code) {
  trap_diag = code;
}
