# Programs code flash and data flash of the RA6M5 through the debug port, without code on the board: OpenOCD has no driver for it.
#   openocd -f jlink.cfg -f ek-ra6m5.cfg -f flash.tcl -c "ra6m5_flash FILE ADDRESS" -c shutdown
# FILE is binary. Blocks that it touches are erased whole: 8 KB below 0x10000, 32 KB above, 64 bytes in data flash.
# Every failure is a Tcl error, so that OpenOCD ends with exit code 1. Commands and registers: R7FA6M5BH.h (R_FACI_HP), FSP r_flash_hp.c.

set RA6M5_COMMAND 0x407E0000
set RA6M5_FASTAT  0x407FE010
set RA6M5_FSADDR  0x407FE030
set RA6M5_FMEPROT 0x407FE044
set RA6M5_FSTATR  0x407FE080
set RA6M5_FENTRYR 0x407FE084
set RA6M5_FPCKAR  0x407FE0E4
set RA6M5_ERRORS {6 FLWEERR 12 PRGERR 13 ERSERR 14 ILGLERR 20 OTERR 21 SECERR 22 FESETERR 23 ILGCOMERR}

proc ra6m5_read {address bits} { return [expr {[lindex [read_memory $address $bits 1] 0]}] }
proc ra6m5_hex {value} { return [format 0x%08X $value] }

# The flash that holds the whole range. Nothing else is ever written: a bit of the option-setting memory can lock the part for good.
proc ra6m5_region {address length} {
	set last [expr {$address + $length - 1}]
	if {$length <= 0} { error "ra6m5: refused: there is nothing to program" }
	if {$address >= 0 && $last < 0x200000} { return code }
	if {$address >= 0x08000000 && $last < 0x08002000} { return data }
	error "ra6m5: refused: [ra6m5_hex $address] ... [ra6m5_hex $last] is not all in code flash (0 ... 0x001FFFFF) or data flash\
		(0x08000000 ... 0x08001FFF). Nothing was written."
}
proc ra6m5_unit {region} { return [expr {$region eq "code" ? 128 : 16}] }
proc ra6m5_block {address} {
	if {$address >= 0x08000000} { return 64 }
	return [expr {$address < 0x10000 ? 0x2000 : 0x8000}]
}

# The jlink driver of OpenOCD 0.12 logs a probe that went away and answers zeros: so what is never zero is read.
proc ra6m5_alive {} {
	if {[ra6m5_read 0xE000ED00 32] != 0x410FD214 || [ra6m5_read 0x010080F0 32] == 0} {
		error "ra6m5: the board does not answer any more: check cable and supply, and program again"
	}
}

proc ra6m5_ready {what ms} {
	global RA6M5_FSTATR RA6M5_FASTAT RA6M5_ERRORS
	set end [expr {[ms] + $ms}]
	while {(([set status [ra6m5_read $RA6M5_FSTATR 32]]) & 0x8000) == 0} {
		if {[ms] > $end} { error "ra6m5: $what did not end within $ms ms" }
	}
	set access [ra6m5_read $RA6M5_FASTAT 8]
	set names {}
	foreach {bit name} $RA6M5_ERRORS { if {$status & (1 << $bit)} { lappend names $name } }
	foreach {bit name} {3 DFAE 4 CMDLK 7 CFAE} { if {$access & (1 << $bit)} { lappend names $name } }
	if {[llength $names] > 0} { error "ra6m5: $what failed: FSTATR [ra6m5_hex $status], FASTAT [format 0x%02X $access] ($names)" }
}

# After a reset FCLK is 2 MHz, and the sequencer wants 4 at least: without dividers all clocks are 8 MHz.
proc ra6m5_enter {region} {
	global RA6M5_FPCKAR RA6M5_FMEPROT RA6M5_FENTRYR
	mwh 0x4001E3FE 0xA501
	mww 0x4001E020 0
	mwh 0x4001E3FE 0xA500
	mwb 0x4001E416 0x01
	mwh $RA6M5_FPCKAR 0x1E08
	set mode 0x80
	if {$region eq "code"} { mwh $RA6M5_FMEPROT 0xD900; set mode 0x01 }
	mwh $RA6M5_FENTRYR [expr {0xAA00 | $mode}]
	if {[ra6m5_read $RA6M5_FENTRYR 16] != $mode} { error "ra6m5: the $region flash cannot be put into program mode" }
}
proc ra6m5_leave {} {
	global RA6M5_FMEPROT RA6M5_FENTRYR
	mwh $RA6M5_FENTRYR 0xAA00
	if {[ra6m5_read $RA6M5_FENTRYR 16] != 0} { error "ra6m5: flash stays in program mode: reset the board" }
	mwh $RA6M5_FMEPROT 0xD901
	mwb 0x4001E416 0x02
	mwh 0x4001C104 1 ;# FCACHEIV: the ROM cache forgets what stood there
}

proc ra6m5_erase {address length} {
	global RA6M5_FSADDR RA6M5_COMMAND
	set at [expr {$address - $address % [ra6m5_block $address]}]
	while {$at < $address + $length} {
		mww $RA6M5_FSADDR $at
		mwb $RA6M5_COMMAND 0x20
		mwb $RA6M5_COMMAND 0xD0
		ra6m5_ready "erasing [ra6m5_hex $at]" 2000
		incr at [ra6m5_block $at]
	}
}
proc ra6m5_program {address halfwords} {
	global RA6M5_FSADDR RA6M5_COMMAND
	mww $RA6M5_FSADDR $address
	mwb $RA6M5_COMMAND 0xE8
	mwb $RA6M5_COMMAND [llength $halfwords]
	foreach halfword $halfwords { mwh $RA6M5_COMMAND $halfword }
	mwb $RA6M5_COMMAND 0xD0
	ra6m5_ready "programming [ra6m5_hex $address]" 200
}

# The file as lists of halfwords, one for each unit; the last one filled with ones.
proc ra6m5_units {file unit} {
	set channel [open $file rb]
	set bytes [read $channel]
	close $channel
	set length [file size $file]
	set units {}
	set halfwords {}
	for {set i 0} {$i < $length || [llength $halfwords] > 0} {incr i 2} {
		if {$i + 1 < $length} {
			lappend halfwords [unpack $bytes -uintle [expr {8 * $i}] 16]
		} elseif {$i < $length} {
			lappend halfwords [expr {0xFF00 | [unpack $bytes -uintle [expr {8 * $i}] 8]}]
		} else {
			lappend halfwords 0xFFFF
		}
		if {2 * [llength $halfwords] == $unit} { lappend units $halfwords; set halfwords {} }
	}
	return $units
}
proc ra6m5_blank {halfwords} {
	foreach halfword $halfwords { if {$halfword != 0xFFFF} { return 0 } }
	return 1
}

# Checks first and connects then; leaves the processor halted at its first instruction, with the flash verified.
proc ra6m5_flash {file address} {
	if {![file readable $file]} { error "ra6m5: refused: $file cannot be read" }
	set address [expr {$address}]
	set length [file size $file]
	set region [ra6m5_region $address $length]
	set unit [ra6m5_unit $region]
	if {$address % $unit != 0} { error "ra6m5: refused: [ra6m5_hex $address] is no multiple of $unit. Nothing was written." }
	set units [ra6m5_units $file $unit]
	init
	reset halt
	ra6m5_alive
	poll off ;# or OpenOCD would look at the processor after every write
	set failed [catch {
		ra6m5_enter $region
		ra6m5_erase $address $length
		set at $address
		foreach halfwords $units {
			# erased code flash reads as ones; erased data flash reads as anything
			if {$region ne "code" || ![ra6m5_blank $halfwords]} { ra6m5_program $at $halfwords }
			incr at $unit
		}
		ra6m5_leave
	} message]
	poll on
	# a reset stops what the sequencer was doing
	if {$failed} { catch { reset halt }; error $message }
	reset halt
	ra6m5_alive
	# says "Error: No working memory available" and compares by reading: nothing of the check runs on the board
	verify_image $file $address bin
	ra6m5_alive
	echo "ra6m5: $length bytes at [ra6m5_hex $address] programmed and verified"
}
