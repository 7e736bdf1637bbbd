/* FACI (RV40 flash sequencer). Registers: FSP R7FA6M5BH.h (R_FACI_HP, 0x407FE000); sequences and longest times:
 * r_flash_hp.c. Everything between enter() and leave() runs from RAM with interrupts masked, since code flash
 * cannot be read then; no function here reads a constant from flash. Whether the cells hold what was programmed is
 * for the core to read back. */
#include "defs.h"
#include "faci.h"
#include "reg.h"
#include "timer.h"
#include "trap.h"
#include "watchdog.h"

#define FACI 0x407FE000u
#define FASTAT REG8(FACI + 0x010)
#define FSADDR REG32(FACI + 0x030)
#define FEADDR REG32(FACI + 0x034)
#define FMEPROT REG16(FACI + 0x044)
#define FSTATR REG32(FACI + 0x080)
#define FENTRYR REG16(FACI + 0x084)
#define FBCCNT REG8(FACI + 0x0D0)
#define FBCSTAT REG8(FACI + 0x0D4)
#define FCPSR REG16(FACI + 0x0E0)
#define FPCKAR REG16(FACI + 0x0E4)
#define FWEPROR REG8(0x4001E416u)
#define COMMAND REG8(0x407E0000u)
#define COMMAND_DATA REG16(0x407E0000u)

#define FCACHEE REG16(0x4001C100u)
#define FCACHEIV REG16(0x4001C104u)
#define CCACTL REG32(0x40007000u)
#define CCAFCT REG32(0x40007004u)

#define FASTAT_CMDLK 0x10
#define FSTATR_DBFULL (1u << 10)
#define FSTATR_ILGLERR (1u << 14)
#define FSTATR_FRDY (1u << 15)
#define FSTATR_ERRORS 0x00F07040u /* FLWEERR PRGERR ERSERR ILGLERR OTERR SECERR FESETERR ILGCOMERR */
#define FMEPROT_OPEN 0xD900
#define FMEPROT_CLOSE 0xD901
#define FENTRYR_KEY 0xAA00
#define FENTRYR_CODE 0x0001
#define FENTRYR_DATA 0x0080
#define FWEPROR_OPEN 0x01
#define FWEPROR_CLOSE 0x02

#define PROGRAM 0xE8
#define BLOCK_ERASE 0x20
#define BLANK_CHECK 0x71
#define EXECUTE 0xD0
#define FORCED_STOP 0xB3

/* Longest times at the slowest FCLK, 4 MHz (r_flash_hp.c); at 48 MHz all are far shorter. */
#define MODE_LIMIT TIMER_MILLISECONDS(1)
#define BUFFER_LIMIT TIMER_MICROSECONDS(100)
#define CODE_PROGRAM_LIMIT TIMER_MICROSECONDS(15800)
#define CODE_ERASE_LIMIT TIMER_MILLISECONDS(1040)
#define DATA_PROGRAM_LIMIT TIMER_MICROSECONDS(3800)
#define DATA_ERASE_LIMIT TIMER_MILLISECONDS(18)
#define DATA_BLANK_LIMIT TIMER_MICROSECONDS(84) /* per unit */
#define STOP_LIMIT TIMER_MILLISECONDS(10)

#ifdef FACI_TELLS
uint32_t faci_said; /* for loader/: FSTATR of the last failure, FASTAT in the highest byte */
#endif

void faci_start(void) {
  FPCKAR = 0x1E00 | CLOCK_FCLK_MHZ;
}

RAMFUNC static bool ready(uint32_t limit) {
  watchdog_feed();
  uint32_t began = timer_cycles();
  while (!(FSTATR & FSTATR_FRDY))
    if (timer_cycles() - began > limit) return false;
  return true;
}

/* Waits for the end of a command; the errors stay set for recover(). */
RAMFUNC static bool finished(uint32_t limit) {
  return ready(limit) && !(FASTAT & FASTAT_CMDLK) && !(FSTATR & FSTATR_ERRORS);
}

/* Forced stop works from any state and clears the errors, but not an access violation's cause. */
RAMFUNC static void recover(void) {
#ifdef FACI_TELLS
  faci_said = FSTATR | (uint32_t)FASTAT << 24;
#endif
  if (FSTATR & FSTATR_ILGLERR) {
    (void)FASTAT;
    FASTAT = 0;
  }
  COMMAND = FORCED_STOP;
  if (!ready(STOP_LIMIT) || FASTAT & FASTAT_CMDLK) trap_reset(TRAP_FLASH);
}

RAMFUNC static bool enter(uint16_t mode) {
  __asm volatile("cpsid i");
  CCACTL = 0;
  FWEPROR = FWEPROR_OPEN;
  if (mode == FENTRYR_CODE) FMEPROT = FMEPROT_OPEN;
  FENTRYR = FENTRYR_KEY | mode;
  uint32_t began = timer_cycles();
  while (FENTRYR != mode)
    if (timer_cycles() - began > MODE_LIMIT) return false;
  return true;
}

/* Back to read mode, with nothing stale in the caches. Without read mode there is no program to return to. */
RAMFUNC static void leave(void) {
  FENTRYR = FENTRYR_KEY;
  uint32_t began = timer_cycles();
  while (FENTRYR != 0)
    if (timer_cycles() - began > MODE_LIMIT) trap_reset(TRAP_FLASH);
  FMEPROT = FMEPROT_CLOSE;
  FWEPROR = FWEPROR_CLOSE;
  FCACHEIV = 1;
  CCAFCT = 1;
  began = timer_cycles();
  while (FCACHEIV & 1 || CCAFCT & 1)
    if (timer_cycles() - began > MODE_LIMIT) trap_reset(TRAP_FLASH);
  FCACHEE = 1;
  CCACTL = 1;
  __asm volatile("cpsie i");
}

RAMFUNC static bool program_unit(uint32_t address, const uint8_t *data, uint32_t unit, uint32_t limit) {
  FSADDR = address;
  COMMAND = PROGRAM;
  COMMAND = (uint8_t)(unit / 2);
  for (uint32_t i = 0; i < unit; i += 2) {
    COMMAND_DATA = (uint16_t)(data[i] | data[i + 1] << 8);
    uint32_t began = timer_cycles();
    while (FSTATR & FSTATR_DBFULL)
      if (timer_cycles() - began > BUFFER_LIMIT) return false;
  }
  COMMAND = EXECUTE;
  return finished(limit);
}

RAMFUNC bool faci_program(uint32_t address, const uint8_t *data, uint32_t length) {
  bool code = address < FACI_DATA_FLASH;
  uint32_t unit = code ? MBS_UNIT : MBS_DATA_UNIT;
  bool done = enter(code ? FENTRYR_CODE : FENTRYR_DATA);
  for (uint32_t at = 0; done && at < length; at += unit)
    done = program_unit(address + at, data + at, unit, code ? CODE_PROGRAM_LIMIT : DATA_PROGRAM_LIMIT);
  if (!done) recover();
  leave();
  return done;
}

RAMFUNC bool faci_erase(uint32_t address) {
  bool code = address < FACI_DATA_FLASH;
  bool done = enter(code ? FENTRYR_CODE : FENTRYR_DATA);
  if (done) {
    FCPSR = 1;
    FSADDR = address;
    COMMAND = BLOCK_ERASE;
    COMMAND = EXECUTE;
    done = finished(code ? CODE_ERASE_LIMIT : DATA_ERASE_LIMIT);
  }
  if (!done) recover();
  leave();
  return done;
}

RAMFUNC int32_t faci_blank(uint32_t address, uint32_t length) {
  int32_t answer = -1;
  bool done = enter(FENTRYR_DATA);
  if (done) {
    FBCCNT = 0;
    FSADDR = address;
    FEADDR = address + length - 1;
    COMMAND = BLANK_CHECK;
    COMMAND = EXECUTE;
    done = finished(DATA_BLANK_LIMIT * (length / MBS_DATA_UNIT));
    if (done) answer = FBCSTAT & 1 ? 0 : 1;
  }
  if (!done) recover();
  leave();
  return answer;
}
