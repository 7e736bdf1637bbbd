/* Programs flash from RAM on behalf of a debugger, with the firmware's own driver, clock and watchdog. It decides
 * nothing but that what is no flash is refused. Relies on: mailbox.h, faci.c, clock.c, timer.c, watchdog.c. */
#include "../clock.h"
#include "../faci.h"
#include "../reg.h"
#include "../timer.h"
#include "../trap.h"
#include "../watchdog.h"
#include "defs.h"
#include "mailbox.h"

#define VTOR REG32(0xE000ED08u)
#define CFSR REG32(0xE000ED28u)
#define CODE_SIZE 0x200000u
#define SMALL_BLOCKS 0x10000u /* below, erase blocks are small */
#define SMALL_BLOCK 0x2000u
#define POLYNOMIAL 0xEDB88320u

static volatile struct mailbox *const mailbox = (volatile struct mailbox *)MBS_LOADER_MAILBOX;
extern uint32_t faci_said;

static void answer(uint32_t result, uint32_t detail) {
  mailbox->detail = detail;
  mailbox->result = result;
  __asm volatile("dsb");
  mailbox->answered = mailbox->request;
}

__attribute__((noreturn)) static void end(uint32_t result, uint32_t detail) {
  answer(result, detail);
  for (;;) watchdog_feed();
}

/* What faci.c calls when there is no way back to read mode. */
void trap_reset(uint32_t code) {
  (void)code;
  end(MBS_LOADER_LOST, faci_said);
}

static void fault(void) {
  end(MBS_LOADER_FAULT, CFSR);
}

static uint32_t block_at(uint32_t address) {
  if (address >= FACI_DATA_FLASH) return MBS_DATA_BLOCK;
  return address < SMALL_BLOCKS ? SMALL_BLOCK : MBS_SLOT_BLOCK;
}

static bool is_flash(uint32_t address, uint32_t length) {
  bool data = address >= FACI_DATA_FLASH;
  uint32_t size = data ? MBS_DATA_SIZE : CODE_SIZE;
  uint32_t offset = data ? address - FACI_DATA_FLASH : address;
  return length > 0 && offset < size && length <= size - offset;
}

static bool in_buffer(uint32_t source, uint32_t length) {
  return source >= MBS_LOADER_BUFFER && source - MBS_LOADER_BUFFER <= MBS_LOADER_BUFFER_SIZE &&
         length <= MBS_LOADER_BUFFER_SIZE - (source - MBS_LOADER_BUFFER);
}

static bool is_blank(const uint8_t *unit) {
  for (uint32_t i = 0; i < MBS_UNIT; i++)
    if (unit[i] != 0xFF) return false;
  return true;
}

static bool program(uint32_t address, const uint8_t *data, uint32_t length) {
  if (address >= FACI_DATA_FLASH) return faci_program(address, data, length);
  for (uint32_t at = 0; at < length;) {
    uint32_t run = 0;
    while (at + run < length && !is_blank(data + at + run)) run += MBS_UNIT;
    if (run > 0 && !faci_program(address + at, data + at, run)) return false;
    at += run > 0 ? run : MBS_UNIT;
  }
  return true;
}

static uint32_t crc_of(const uint8_t *bytes, uint32_t length) {
  uint32_t crc = 0xFFFFFFFF;
  for (uint32_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (uint32_t bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (POLYNOMIAL & -(crc & 1));
    if (i % 0x10000 == 0) watchdog_feed();
  }
  return ~crc;
}

/* The result of one operation; `detail` when it is not done. */
static uint32_t perform(const struct operation *one, uint32_t *detail) {
  uint32_t unit = one->address < FACI_DATA_FLASH ? MBS_UNIT : MBS_DATA_UNIT;
  switch (one->kind) {
  case MBS_LOADER_OP_ERASE:
    if (!is_flash(one->address, 1) || one->address % block_at(one->address)) return MBS_LOADER_REFUSED;
    if (faci_erase(one->address)) return MBS_LOADER_DONE;
    *detail = faci_said;
    return MBS_LOADER_ERASE;
  case MBS_LOADER_OP_PROGRAM:
    if (!is_flash(one->address, one->length) || !in_buffer(one->argument, one->length)) return MBS_LOADER_REFUSED;
    if (one->address % unit || one->length % unit) return MBS_LOADER_REFUSED;
    if (program(one->address, (const uint8_t *)one->argument, one->length)) return MBS_LOADER_DONE;
    *detail = faci_said;
    return MBS_LOADER_PROGRAM;
  case MBS_LOADER_OP_CHECK:
    if (!is_flash(one->address, one->length)) return MBS_LOADER_REFUSED;
    *detail = crc_of((const uint8_t *)one->address, one->length);
    return *detail == one->argument ? MBS_LOADER_DONE : MBS_LOADER_DIFFERS;
  }
  return MBS_LOADER_REFUSED;
}

static void serve(void) {
  const struct operation *operations = (const struct operation *)MBS_LOADER_OPERATIONS;
  uint32_t result = mailbox->count <= MBS_LOADER_OPERATIONS_MAX ? MBS_LOADER_DONE : MBS_LOADER_REFUSED;
  uint32_t detail = 0;
  mailbox->done = 0;
  while (result == MBS_LOADER_DONE && mailbox->done < mailbox->count) {
    result = perform(&operations[mailbox->done], &detail);
    if (result == MBS_LOADER_DONE) mailbox->done++;
  }
  answer(result, detail);
}

static void start(void) {
  VTOR = MBS_LOADER_BASE;
  mailbox->request = 0;
  mailbox->answered = 0;
  mailbox->result = 0;
  timer_start();
  if (!clock_start()) end(MBS_LOADER_CLOCK, 0);
  watchdog_start();
  faci_start();
  mailbox->hello = MBS_LOADER_HELLO;
  for (;;) {
    watchdog_feed();
    if (mailbox->request != mailbox->answered) serve();
  }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
  (void *)MBS_LOADER_STACK_TOP, start, fault, fault, fault, fault, fault, fault,
  fault, fault, fault, fault, fault, fault, fault, fault,
};
