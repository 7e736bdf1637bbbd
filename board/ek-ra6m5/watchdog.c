/* WDT in register-start mode (OFS0 left erased). Registers: FSP R7FA6M5BH.h (R_WDT, 0x40083400), values as in r_wdt.c.
 * 16,384 counts of PCLKB / 8,192 = 2.796 s at 48 MHz, the longest it has; no refresh window. */
#include "watchdog.h"

#define WDTCR REG16(0x40083402u)
#define WDTRCR REG8(0x40083406u)
#define WDTCSTPR REG8(0x40083408u)
#define WDTCR_LONGEST 0x3383u /* TOPS 16384, CKS /8192, window from 100 % to 0 % */
#define WDTRCR_RESET 0x80u
#define WDTCSTPR_RUN_IN_SLEEP 0x00u

void watchdog_start(void) {
  WDTRCR = WDTRCR_RESET;
  WDTCR = WDTCR_LONGEST;
  WDTCSTPR = WDTCSTPR_RUN_IN_SLEEP;
  watchdog_feed(); /* the first feed starts it */
}
