/* The measurements of the self-test. Each writes its words (firmware/defs/selftest.ts); the ones that wait feed the watchdog. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

void measure_part(uint32_t *words);
void measure_clocks(uint32_t *words);

/* How long the counts of a 32.768 kHz clock take. */
void measure_loco(uint32_t *words);
void measure_crystal(uint32_t *words);

void measure_code(uint32_t *words);
void measure_data(uint32_t *words);

/* Raw samples of the noise source, as the core gets them. False when more are wanted than there is room. */
bool measure_entropy(uint32_t count, uint32_t *words);

/* Looks at the switches while nothing is measured, so that a short press is not missed. */
void watch_panel(void);
void measure_panel(uint32_t lights, uint32_t *words);
void measure_uart(uint32_t brr, uint32_t *words);
