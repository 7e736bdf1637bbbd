/* Clock: ICLK 192 MHz, PCLKA 96, PCLKB 48, FCLK 48 from the 24 MHz crystal. 192 rather than 200 because PCLKA 96
 * MHz gives the UART 1 Mbaud exactly and the rest within 0.16 %. Registers and order: FSP bsp_clocks.c, R7FA6M5BH.h
 * (R_SYSTEM, R_SRAM, R_FCACHE, R_CACHE); security attribution: FSP system.c, which a flat project sets the same
 * way. */
#include "clock.h"
#include "reg.h"

#define SYSC 0x4001E000u
#define SCKDIVCR REG32(SYSC + 0x020)
#define SCKSCR REG8(SYSC + 0x026)
#define PLLCCR REG16(SYSC + 0x028)
#define PLLCR REG8(SYSC + 0x02A)
#define MOSCCR REG8(SYSC + 0x032)
#define OSCSF REG8(SYSC + 0x03C)
#define MOSCWTCR REG8(SYSC + 0x0A2)
#define PRCR REG16(SYSC + 0x3FE)
#define MOMCR REG8(SYSC + 0x413)
#define OSCSF_MOSC 0x08
#define OSCSF_PLL 0x20
#define PRCR_OPEN_CLOCK 0xA503u /* PRC0 clocks, PRC1 low power */
#define PRCR_OPEN_SECURITY 0xA510u
#define PRCR_CLOSE 0xA500u

#define SRAMWTSC REG8(0x40002008u)
#define SRAMPRCR2 REG8(0x4000200Cu)
#define FCACHEE REG16(0x4001C100u)
#define FCACHEIV REG16(0x4001C104u)
#define FLWT REG8(0x4001C11Cu)
#define CCACTL REG32(0x40007000u)
#define CCAFCT REG32(0x40007004u)

#define PMSAR(port) REG16(0x40080D10u + 2 * (port))
#define PMSAR_PORTS 12
#define PSAR(letter) REG32(0x400E0004u + 4 * (letter)) /* 0 PSARB, 1 PSARC, 2 PSARD, 3 PSARE */

/* At the 2 MHz of reset some 10 clocks a turn, so about 500 ms: the crystal needs a few ms. */
#define WAIT_TURNS 100000

static bool wait_for(uint8_t flag) {
  for (uint32_t turn = 0; turn < WAIT_TURNS; turn++)
    if (OSCSF & flag) return true;
  return false;
}

/* Peripherals to the secure side, where this program runs; pins stay at the default, non-secure, which is what PWPR opens
 * (FSP system.c). */
static void claim_peripherals(void) {
  PRCR = PRCR_OPEN_SECURITY;
  for (uint32_t port = 0; port < PMSAR_PORTS; port++) PMSAR(port) = 0xFFFF;
  for (uint32_t letter = 0; letter < 4; letter++) PSAR(letter) = 0;
  PRCR = PRCR_CLOSE;
}

static void enable_caches(void) {
  FCACHEIV = 1;
  for (uint32_t turn = 0; turn < WAIT_TURNS && FCACHEIV & 1; turn++) continue;
  FCACHEE = 1;
  CCAFCT = 1;
  for (uint32_t turn = 0; turn < WAIT_TURNS && CCAFCT & 1; turn++) continue;
  CCACTL = 1;
}

bool clock_start(void) {
  claim_peripherals();
  PRCR = PRCR_OPEN_CLOCK;
  MOMCR = 0x00;    /* crystal, drive for 20-24 MHz */
  MOSCWTCR = 0x09; /* stabilisation time, FSP's value */
  MOSCCR = 0x00;
  if (!wait_for(OSCSF_MOSC)) return false;
  PLLCCR = 0x2F02; /* crystal / 3 * 24 */
  PLLCR = 0x00;
  if (!wait_for(OSCSF_PLL)) return false;
  SRAMPRCR2 = 0xF1;
  SRAMWTSC = 0x01; /* one wait above 100 MHz */
  SRAMPRCR2 = 0xF0;
  FLWT = 0x03;           /* three waits above 150 MHz */
  SCKDIVCR = 0x20011221; /* FCLK /4, ICLK /1, BCLK /2, PCLKA /2, PCLKB /4, PCLKC /4, PCLKD /2 */
  SCKSCR = 0x05;         /* PLL */
  bool switched = SCKSCR == 0x05;
  PRCR = PRCR_CLOSE;
  if (switched) enable_caches();
  return switched;
}
