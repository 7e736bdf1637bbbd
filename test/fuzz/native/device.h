/* The core, translated to C, over two strict media in RAM: the device that is fuzzed. Whatever the core must never do ends
 * the run. It starts each input from the same state: memory, globals and media as device_init left them. */
#pragma once
#include "defs.h"
#include <stdbool.h>
#include <stdint.h>

/* Ends the run with a finding, unless it holds. */
void must(bool holds, const char *what);
#define MUST(holds, what) must((holds), (what))

/* Reads the media from the file that scripts/fuzz/template.ts made, and starts the core over them. */
void device_init(const char *image);
/* Back to that state. `seed`: of noise. */
void device_restore(uint64_t seed);
/* Power off and on. */
void device_boot(void);
/* Lets time pass. */
void device_pass(uint32_t ms);
/* One call of take() with up to RX_SIZE bytes, NULL = none. Answers how many bytes stand in device_tx(). */
int32_t device_take(const uint8_t *bytes, uint32_t length);
int32_t device_give(void);
const uint8_t *device_tx(void);
/* Linear memory, as a debugger sees it. */
uint8_t *device_memory(void);

enum { DEVICE_RECORDS = 16 };
extern uint8_t device_handles[DEVICE_RECORDS][MBS_HANDLE_SIZE]; /* of the records in the image */
extern uint32_t device_records;
extern uint64_t device_time;        /* microseconds since power-up */
extern uint32_t device_switches;    /* SWITCH_... that are pressed */
extern uint32_t device_operations;  /* flash operations since device_restore() */
extern uint32_t device_store_changes; /* of these, those that were not refusal counters */
