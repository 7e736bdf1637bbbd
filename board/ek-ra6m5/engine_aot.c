/* See engine.h: core.wasm as C that wasm2c made of it (scripts/aot.mjs), between contract.h and the three exports. The imports have the one
 * bounds check of every pointer that crosses; loads and stores of the core have theirs in what was made. SPEC.md §1.
 * Relies on: wasm-rt.h of Debian's wabt for the runtime's names, trap.c. */
#include "engine.h"
#include "contract.h"
#include "core_aot.h"
#include "engine_aot.h"
#include "trap.h"
#include <stddef.h>

#define ARENA __attribute__((section(".bss.arena"))) /* what a trap wipes */

ARENA __attribute__((aligned(16))) uint8_t core_page[CORE_PAGE_SIZE];
ARENA static Z_core_instance_t core;

extern uint32_t __stack_limit[];

static uint32_t trap_code_of(wasm_rt_trap_t reason) {
  switch (reason) {
    case WASM_RT_TRAP_UNREACHABLE: return TRAP_UNREACHABLE;
    case WASM_RT_TRAP_OOB: return TRAP_BOUNDS;
    case WASM_RT_TRAP_DIV_BY_ZERO:
    case WASM_RT_TRAP_INT_OVERFLOW: return TRAP_DIVIDE;
    default: return TRAP_WASM_OTHER;
  }
}

void wasm_rt_trap(wasm_rt_trap_t reason) {
  trap_reset(trap_code_of(reason));
}

void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t pages, uint32_t most) {
  if (pages != 1 || most != 1) trap_reset(TRAP_LOAD);
  *memory = (wasm_rt_memory_t){.data = core_page, .pages = 1, .max_pages = 1, .size = CORE_PAGE_SIZE};
}

/* `length` bytes at `pointer` of the core's memory, all inside. */
static uint8_t *window(uint32_t pointer, uint32_t length) {
  if (pointer > CORE_PAGE_SIZE || length > CORE_PAGE_SIZE - pointer) trap_reset(TRAP_BOUNDS);
  return core_page + pointer;
}

struct Z_board_instance_t; /* the imports' first argument; there is one board */
#define BOARD struct Z_board_instance_t *board __attribute__((unused))

u32 Z_boardZ_read(BOARD, u32 region, u32 offset, u32 pointer, u32 length) {
  return (u32)board_read(region, offset, window(pointer, length), length);
}

u32 Z_boardZ_program(BOARD, u32 region, u32 offset, u32 pointer, u32 length) {
  return (u32)board_program(region, offset, window(pointer, length), length);
}

u32 Z_boardZ_erase(BOARD, u32 region, u32 offset) {
  return (u32)board_erase(region, offset);
}

u32 Z_boardZ_blank(BOARD, u32 region, u32 offset, u32 length) {
  return (u32)board_blank(region, offset, length);
}

u32 Z_boardZ_entropy(BOARD, u32 pointer, u32 length) {
  return (u32)board_entropy(window(pointer, length), length);
}

u32 Z_boardZ_presence(BOARD, u32 lights) {
  return (u32)board_presence(lights);
}

u64 Z_boardZ_clock(BOARD) {
  return board_clock();
}

void Z_boardZ_diag(BOARD, u32 code) {
  board_diag(code);
}

u32 Z_boardZ_rate(BOARD, u32 bits) {
  return (u32)board_rate(bits);
}

/* Locals of functions that have returned stay on the C stack, below the caller of this, and in the registers that a call need not keep
 * (those of the FPU too, which gcc may put an integer into). Naked: nothing of its own lies in between. */
__attribute__((naked, noinline)) static void wipe_stack(void) {
  __asm volatile("ldr r0, =__stack_limit\n"
                 "mov r1, sp\n"
                 "movs r2, #0\n"
                 "movs r3, #0\n"
                 "1: cmp r0, r1\n"
                 "bhs 2f\n"
                 "stmia r0!, {r2, r3}\n" /* sp is a multiple of eight here, and so is the limit */
                 "b 1b\n"
                 "2: vmov d0, r2, r3\n"
                 "vmov d1, r2, r3\n"
                 "vmov d2, r2, r3\n"
                 "vmov d3, r2, r3\n"
                 "vmov d4, r2, r3\n"
                 "vmov d5, r2, r3\n"
                 "vmov d6, r2, r3\n"
                 "vmov d7, r2, r3\n"
                 "mov r12, r2\n"
                 "mov r1, r2\n"
                 "mov r0, r2\n"
                 "bx lr\n");
}

void engine_load(void) {
  core_instantiate(&core);
}

int32_t engine_start(int32_t mode, int32_t trap_code) {
  int32_t answer = (int32_t)Z_coreZ_start(&core, (u32)mode, (u32)trap_code);
  wipe_stack();
  return answer;
}

/* Keys may have been used when an answer stands ready, or when nothing was received. Not wiped after every byte received. */
int32_t engine_take(int32_t count) {
  int32_t answer = (int32_t)Z_coreZ_take(&core, (u32)count);
  if (count <= 0 || answer > 0) wipe_stack();
  return answer;
}

int32_t engine_give(void) {
  int32_t answer = (int32_t)Z_coreZ_give(&core);
  wipe_stack();
  return answer;
}

uint8_t *engine_memory(void) {
  return core_page;
}
