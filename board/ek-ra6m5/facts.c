/* Facts: hash of core.wasm, unique id, custody kind, board number, setup code, binding record. Unique id 0x01008190 and
 * part number 0x010080F0: FSP R7FA6M5BH.h (flash root table), Black Magic renesas_ra.c. A chip without the part number of
 * this family is a model. */
#include "binding.h"
#include "core_wasm.h"
#include "facts.h"
#include "reg.h"
#include <string.h>

#define UNIQUE_ID 0x01008190u
#define PART_NUMBER 0x010080F0u

/* Zeros in the image; whoever flashes it may put 32 random bytes here (symbol and section of its own). Volatile, so
 * that what is read is what stands in flash. */
__attribute__((section(".setup"), used)) const volatile uint8_t setup_code[MBS_PSK_SIZE] = {0};

static bool is_the_part(void) {
  static const char family[] = "R7FA6M5";
  for (uint32_t i = 0; i < sizeof family - 1; i++)
    if (REG8(PART_NUMBER + i) != family[i]) return false;
  return true;
}

void facts_write(uint8_t out[MBS_FACTS_SIZE]) {
  memset(out, 0, MBS_FACTS_SIZE);
  memcpy(out + MBS_FACTS_OFF_CORE, core_wasm_sha256, sizeof core_wasm_sha256);
  for (uint32_t i = 0; i < 16; i += 4) {
    uint32_t word = REG32(UNIQUE_ID + i);
    memcpy(out + MBS_FACTS_OFF_UID + i, &word, 4);
  }
  out[MBS_FACTS_OFF_CUSTODY] = is_the_part() ? MBS_CUSTODY_DEVICE : MBS_CUSTODY_SIMULATED;
  out[MBS_FACTS_OFF_BOARD] = MBS_BOARD_EK_RA6M5;
  for (uint32_t i = 0; i < sizeof setup_code; i++) out[MBS_FACTS_OFF_SETUP + i] = setup_code[i];
  memcpy(out + MBS_FACTS_OFF_BINDING, binding_record, sizeof binding_record);
}
