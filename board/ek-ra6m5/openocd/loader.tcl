# Programs flash with a program in RAM (../loader, built as build/arm/loader.bin), which is the firmware's own driver; with a
# hundredth of the exchanges of flash.tcl, which has to be sourced first. host/flash/loader.ts drives it; numbers as in firmware/defs/loader.ts.

set RA6M5_LOADER     0x20000000
set RA6M5_MAILBOX    0x20001000
set RA6M5_OPERATIONS 0x20001040
set RA6M5_STACK      0x20004000
set RA6M5_HELLO      0x314C424D
set RA6M5_HELLO_MS   2000
set RA6M5_DHCSR      0xE000EDF0
set RA6M5_REQUEST    0

proc ra6m5_words {file} {
	set channel [open $file rb]
	set bytes [read $channel]
	close $channel
	set words {}
	for {set i 0} {$i + 3 < [file size $file]} {incr i 4} { lappend words [unpack $bytes -uintle [expr {8 * $i}] 32] }
	return $words
}

# Loads it, looks whether all of it is there, and runs it. The processor is halted after a reset: its clocks are as the loader expects them.
proc ra6m5_loader_start {file} {
	global RA6M5_LOADER RA6M5_MAILBOX RA6M5_STACK RA6M5_HELLO RA6M5_HELLO_MS RA6M5_REQUEST
	set words [ra6m5_words $file]
	if {[llength $words] < 16 || [llength $words] > 1024} { error "ra6m5: $file is no RAM loader" }
	write_memory $RA6M5_LOADER 32 $words
	write_memory $RA6M5_MAILBOX 32 {0 0 0 0 0 0 0}
	foreach word $words read [read_memory $RA6M5_LOADER 32 [llength $words]] {
		if {$word != $read} { error "ra6m5: RAM does not hold the loader that was written to it" }
	}
	set RA6M5_REQUEST 0
	reg sp $RA6M5_STACK
	resume [expr {[lindex $words 1] & ~1}]
	set end [expr {[ms] + $RA6M5_HELLO_MS}]
	while {[ra6m5_read $RA6M5_MAILBOX 32] != $RA6M5_HELLO} {
		if {[ms] > $end} { error "ra6m5: the loader does not run" }
		sleep 5
	}
	ra6m5_loader_hold
}

# Between requests the processor stands still, behind the back of OpenOCD, which would read all of its registers.
proc ra6m5_loader_hold {} { global RA6M5_DHCSR; mww $RA6M5_DHCSR 0xA05F0003 }
proc ra6m5_loader_go {} { global RA6M5_DHCSR; mww $RA6M5_DHCSR 0xA05F0001 }

# Asks for operations: kind, address, length and argument of each in one list. The bytes to program are in the buffer already.
proc ra6m5_loader_ask {operations} {
	global RA6M5_OPERATIONS RA6M5_MAILBOX RA6M5_REQUEST
	incr RA6M5_REQUEST
	write_memory $RA6M5_OPERATIONS 32 $operations
	write_memory [expr {$RA6M5_MAILBOX + 4}] 32 [list $RA6M5_REQUEST [expr {[llength $operations] / 4}]]
	ra6m5_loader_go
}

# Result, operations done, detail; the result is "busy" while they are under way. A probe that went away reads as zeros, which is neither.
proc ra6m5_loader_look {} {
	global RA6M5_MAILBOX RA6M5_HELLO RA6M5_REQUEST
	lassign [read_memory $RA6M5_MAILBOX 32 7] hello request count answered result done detail
	if {$hello != $RA6M5_HELLO || $request != $RA6M5_REQUEST} { error "ra6m5: the loader does not answer any more" }
	if {$answered != $request} { return [list busy $done 0] }
	ra6m5_loader_hold
	return [list $result $done $detail]
}
