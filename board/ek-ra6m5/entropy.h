/* Noise source; board_entropy is in contract.h. */
#pragma once

void entropy_start(void);
