/* A monitor for tests of the virtual board: reads, writes and calls what the UART asks for, and survives bus faults.
 * Runs from RAM, on the clocks of reset; SCI0 without FIFO. Request: command, address, value (1 + 4 + 4 bytes); answer:
 * status (0 done, 1 fault) and value (for a fault the CFSR). */
#include <stdint.h>

#define REG8(a) (*(volatile uint8_t *)(a))
#define REG16(a) (*(volatile uint16_t *)(a))
#define REG32(a) (*(volatile uint32_t *)(a))
#define SCI0 0x40118000u
#define CFSR REG32(0xE000ED28u)

extern uint32_t load[], start[], end[];
void monitor(void);
__attribute__((naked)) void fault(void);

__attribute__((section(".flash"), noreturn, used)) static void reset(void) {
  const uint32_t *from = load;
  for (volatile uint32_t *to = start; to < end;) *to++ = *from++;
  monitor();
  for (;;) continue;
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {(void *)0x20040000u, reset, fault, fault};
__attribute__((section(".ram"), aligned(128))) static const void *ram_vectors[] = {(void *)0x20040000u, reset, fault, fault};

static volatile uint32_t faulted;

/* Skips the instruction that failed: all accesses below are 16-bit instructions or end in a call that returns. */
__attribute__((used)) static void skip(uint32_t *frame) {
  faulted = CFSR;
  CFSR = faulted;
  if (faulted & 0x100) frame[6] = frame[5] & ~1u; /* a fetch: back to the caller */
  else frame[6] += (REG16(frame[6]) >> 11) >= 29 ? 4 : 2;
}
__attribute__((naked)) void fault(void) {
  __asm volatile("mrs r0, msp\n push {r4, lr}\n bl skip\n pop {r4, pc}");
}

static uint8_t get(void) {
  while (!(REG8(SCI0 + 4) & 0x40)) continue;
  return REG8(SCI0 + 5);
}
static uint32_t get32(void) {
  uint32_t value = 0;
  for (int i = 0; i < 32; i += 8) value |= (uint32_t)get() << i;
  return value;
}
static void put(uint8_t byte) {
  while (!(REG8(SCI0 + 4) & 0x80)) continue;
  REG8(SCI0 + 3) = byte;
}

static uint32_t act(uint8_t command, uint32_t address, uint32_t value) {
  switch (command) {
    case 1: return REG32(address);
    case 2: return REG16(address);
    case 3: return REG8(address);
    case 4: REG32(address) = value; return 0;
    case 5: REG16(address) = (uint16_t)value; return 0;
    case 6: REG8(address) = (uint8_t)value; return 0;
    case 7: return ((uint32_t(*)(void))address)();
    case 8: __asm volatile("cpsid i"); return 0;
    case 9: __asm volatile("wfi"); return 0;
    default: for (;;) continue;
  }
}

void monitor(void) {
  REG32(0xE000ED08u) = (uint32_t)ram_vectors; /* VTOR */
  REG32(0x40084004u) &= ~(1u << 31);          /* SCI0 on */
  REG8(SCI0 + 2) = 0;
  REG8(SCI0 + 7) = 0x50;
  REG8(SCI0 + 1) = 7; /* slow enough for this loop */
  REG8(SCI0 + 2) = 0x30;
  REG8(0x40080D03u) = 0;
  REG8(0x40080D03u) = 0x40;
  REG32(0x40080928u) = 0x04000000u;
  REG32(0x40080928u) = 0x04010000u;
  REG32(0x4008092Cu) = 0x04000000u;
  REG32(0x4008092Cu) = 0x04010000u;
  for (;;) {
    uint8_t command = get();
    uint32_t address = get32();
    uint32_t value = get32();
    faulted = 0;
    uint32_t answer = act(command, address, value);
    put(faulted ? 1 : 0);
    if (faulted) answer = faulted;
    for (int i = 0; i < 32; i += 8) put((uint8_t)(answer >> i));
  }
}
