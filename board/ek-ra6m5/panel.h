/* Switches and LEDs; board_presence is in contract.h. */
#pragma once

void panel_start(void);
