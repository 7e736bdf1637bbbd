/* What a board gives the core: the nine imports of core.wasm, in C. SPEC.md §1. Region numbers, statuses and
 * sizes: defs.h, generated from firmware/defs. Pointers arrive bounds-checked (wasm3_glue.c, engine_aot.c). */
#pragma once
#include <stdint.h>

/* Reads `length` bytes of a region from `offset`. MBS_OK | MBS_UNREADABLE (outside the region, or a bus fault). */
int32_t board_read(uint32_t region, uint32_t offset, uint8_t *out, uint32_t length);

/* Programs whole units that are certainly erased. MBS_OK | MBS_MEDIUM_FAILED (controller error, or outside the
 * region). */
int32_t board_program(uint32_t region, uint32_t offset, const uint8_t *data, uint32_t length);

/* Erases the one block that starts at `offset`. MBS_OK | MBS_MEDIUM_FAILED. */
int32_t board_erase(uint32_t region, uint32_t offset);

/* Blank check of data flash, whole units. 1 blank | 0 not blank | MBS_MEDIUM_FAILED. */
int32_t board_blank(uint32_t region, uint32_t offset, uint32_t length);

/* Raw samples of the noise source, one byte each, neither tested nor conditioned. Number written, 0 when none. */
int32_t board_entropy(uint8_t *out, uint32_t length);

/* Shows `lights` (MBS_LIGHT_*) and returns the switches pressed now (MBS_SWITCH_*). */
int32_t board_presence(uint32_t lights);

/* Microseconds since power-up, never backwards. */
uint64_t board_clock(void);

/* A code from the core for whoever debugs; has no effect on the store. */
void board_diag(uint32_t code);

/* The line's bit rate, from the byte after what this call of the core answers on. MBS_OK | MBS_BAD_ARGUMENT (the line
 * cannot do it within 1 %; nothing changed). */
int32_t board_rate(uint32_t bits);
