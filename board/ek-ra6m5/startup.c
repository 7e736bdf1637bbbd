/* Reset: vector table, stack guard, FPU, clock, memory, main. Armv8-M ARM (DDI 0553) B3; registers are the core's own.
 * Relies on: ek-ra6m5.ld for the section bounds. */
#include "clock.h"
#include "fault.h"
#include "reg.h"
#include "trap.h"

#define VTOR REG32(0xE000ED08u)
#define CPACR REG32(0xE000ED88u)
#define CPACR_FPU (0xFu << 20)

extern uint32_t __stack_limit[], __stack_top[], __zero_start[], __zero_end[];
extern uint32_t __data_load[], __data_start[], __data_end[];
int main(void);

void reset_handler(void) {
  __asm volatile("msr msplim, %0" ::"r"(__stack_limit));
  VTOR = 0; /* where .vectors is linked; Armv8-M leaves the reset value to the chip */
  CPACR |= CPACR_FPU;
  __asm volatile("dsb\n isb");

  const uint32_t *from = __data_load;
  for (uint32_t *to = __data_start; to < __data_end;) *to++ = *from++;
  if (!clock_start()) trap_reset(TRAP_CLOCK);
  /* The arena is cleared too, at full speed: after a reset it still holds what the last run left. */
  for (uint32_t *to = __zero_start; to < __zero_end;) *to++ = 0;
  main();
  trap_reset(TRAP_RETURNED);
}

/* System exceptions only: no interrupt is ever enabled. */
__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
  __stack_top,   reset_handler, /* NMI, HardFault, … */
  fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
  fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
};
