/* Switches S1 (P005), S2 (P004), active low; LEDs blue P006, green P007, red P008, active high. Registers: FSP
 * R7FA6M5BH.h (R_PORT0, 0x40080000); pins: Zephyr ek_ra6m5.dts. ASEL of P004-P008 is 0 after reset, so PIDR reads
 * the pins. */
#include "contract.h"
#include "defs.h"
#include "panel.h"
#include "reg.h"

#define PORT0 0x40080000u
#define PDR REG16(PORT0 + 0x02)
#define PIDR REG16(PORT0 + 0x06)
#define PORR REG16(PORT0 + 0x08)
#define POSR REG16(PORT0 + 0x0A)
#define PIN_S2 (1u << 4)
#define PIN_S1 (1u << 5)
#define LED_SHIFT 6 /* MBS_LIGHT_TOUCH, _READY, _FAULT are bits 0, 1, 2 in the order of the pins */
#define LED_MASK (7u << LED_SHIFT)

void panel_start(void) {
  PORR = LED_MASK;
  PDR |= LED_MASK;
}

int32_t board_presence(uint32_t lights) {
  uint32_t on = lights << LED_SHIFT & LED_MASK;
  PORR = (uint16_t)(LED_MASK & ~on);
  POSR = (uint16_t)on;
  uint32_t pins = PIDR;
  return (pins & PIN_S1 ? 0 : MBS_SWITCH_S1) | (pins & PIN_S2 ? 0 : MBS_SWITCH_S2);
}
