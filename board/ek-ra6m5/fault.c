/* Faults: one that a guarded copy met ends that copy with 1; any other is recorded and resets the board.
 * Armv8-M ARM (DDI 0553): stacked frame B3.19, CFSR D1.2.11. Bus faults on reads are precise, so the stacked pc tells.
 * Relies on: trap.c. Bus, usage and memory faults are not enabled and escalate to HardFault. */
#include "fault.h"
#include "reg.h"
#include "trap.h"

/* r0 out, r1 from, r2 length. A leaf that touches r0-r3 only, so that the handler can end it by moving the stacked
 * pc. */
__asm(".section .text.fault_guarded_copy, \"ax\"\n"
      ".syntax unified\n .thumb\n"
      ".global fault_guarded_copy, fault_guarded_copy_failed\n"
      ".type fault_guarded_copy, %function\n"
      ".type fault_guarded_copy_failed, %function\n"
      "fault_guarded_copy:\n"
      "  orr r3, r0, r1\n"
      "  tst r3, #3\n"
      "  bne 2f\n"
      "1: cmp r2, #4\n" /* words while both are aligned */
      "  blo 2f\n"
      "  ldr r3, [r1], #4\n"
      "  str r3, [r0], #4\n"
      "  subs r2, #4\n"
      "  b 1b\n"
      "2: cbz r2, 3f\n"
      "  ldrb r3, [r1], #1\n"
      "  strb r3, [r0], #1\n"
      "  subs r2, #1\n"
      "  b 2b\n"
      "3: movs r0, #0\n"
      "  bx lr\n"
      "fault_guarded_copy_failed:\n"
      "  movs r0, #1\n"
      "  bx lr\n"
      ".size fault_guarded_copy, . - fault_guarded_copy\n"
      ".text\n");

#define CFSR_PRECISERR (1u << 9)
#define CFSR_STKOF (1u << 20)

/* Not a guarded copy: keep number and place, then start again. */
__attribute__((noreturn, used)) static void fault_reset(uint32_t pc, uint32_t cfsr) {
  uint32_t exception;
  __asm volatile("mrs %0, ipsr" : "=r"(exception));
  if (cfsr & CFSR_STKOF) trap_reset(TRAP_C_STACK);
  trap_reset((TRAP_FAULT + (exception & 15)) | (pc & 0xFFFFF) << TRAP_PC_SHIFT);
}

/* Frame: r0 r1 r2 r3 r12 lr pc xpsr. After a stack overflow there is none, and the stack must not be used as it is. */
__attribute__((naked)) void fault_handler(void) {
  __asm volatile("mrs r3, msp\n"
                 "ldr r2, =0xE000ED28\n" /* CFSR: flags are cleared by writing them back */
                 "ldr r1, [r2]\n"
                 "ldr r0, [r3, #24]\n"
                 "tst r1, %0\n"
                 "bne 1f\n"
                 "tst r1, %1\n" /* only a refused read is one: not an NMI, not an error of an earlier write */
                 "beq 1f\n"
                 "ldr r12, =fault_guarded_copy\n"
                 "cmp r0, r12\n"
                 "blo 1f\n"
                 "ldr r12, =fault_guarded_copy_failed\n"
                 "cmp r0, r12\n"
                 "bhs 1f\n"
                 "str r1, [r2]\n"
                 "bic r12, r12, #1\n"
                 "str r12, [r3, #24]\n"
                 "bx lr\n"
                 "1: ldr r2, =__stack_top\n"
                 "msr msp, r2\n"
                 "b fault_reset\n" ::"i"(CFSR_STKOF),
                 "i"(CFSR_PRECISERR));
}
