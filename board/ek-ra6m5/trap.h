/* Why the board last started again, kept over the reset. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Trap codes as hello shows them: bits 0-7 here, for faults bits 8-27 the place (pc). Numbers are never reused. */
enum trap_code {
  TRAP_NONE = 0,
  TRAP_UNREACHABLE = 1,   /* the core found its own logic broken */
  TRAP_BOUNDS = 2,        /* the core left its linear memory, or passed a pointer outside it */
  TRAP_DIVIDE = 3,        /* division by zero or overflow in the core */
  TRAP_WASM_STACK = 4,    /* the interpreter's stack is full */
  TRAP_WASM_OTHER = 5,    /* any other trap of the interpreter */
  TRAP_LOAD = 6,          /* core.wasm was not accepted, or the arena is too small for it */
  TRAP_CORE_ANSWER = 7,   /* the core answered a length outside its TX window */
  TRAP_CLOCK = 8,         /* the crystal or the PLL did not become stable */
  TRAP_FLASH = 9,         /* the flash controller cannot be brought back to read mode */
  TRAP_WATCHDOG = 10,     /* nothing fed the watchdog */
  TRAP_ABORT = 11,        /* the C library or the interpreter called abort */
  TRAP_RETURNED = 12,     /* main returned */
  TRAP_C_STACK = 13,      /* the C stack is full */
  TRAP_FAULT = 32,        /* + number of the processor's exception: 3 HardFault, which stands for the others */
};
#define TRAP_PC_SHIFT 8

/* Records the code, wipes arena (linear memory, interpreter stack) and C stack, resets. Runs from RAM. */
void trap_reset(uint32_t code) __attribute__((noreturn));

/* At each start: tells the last code (TRAP_NONE after power-up), and true when three starts in a row have failed. */
bool trap_starting(uint32_t *code);

/* start() has returned: the failed starts before it no longer count. */
void trap_started(void);
