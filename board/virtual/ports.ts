/** Pins: ports, pin function selection behind its lock, the switches and the lights of the EK-RA6M5.
 *  Registers: R7FA6M5BH.h (R_PORT0, R_PFS, R_PMISC); pins: Zephyr ek_ra6m5.dts. 16-bit and 32-bit port registers stand in a
 *  different order on purpose: 16 bit PODR, PDR, EIDR, PIDR, PORR, POSR; 32 bit PCNTRn with the second of each pair low. */
import type { Chip, Peripheral, ResetCause, Restore } from "./chip.js";
import { hex } from "./faults.js";
import type { System } from "./system.js";

const PORT = 0x40080000;
const PFS = 0x40080800;
const PMISC = 0x40080d00;
const PORTS = 12;
const PFENET = PMISC;
const PWPR = PMISC + 0x03;
const PWPRS = PMISC + 0x05;
const PMSAR = PMISC + 0x10;
const PWPR_LOCKED = 0x80;
const PWPR_PFS_OPEN = 0x40;
const PFS_OUT = 1;
const PFS_IN = 2;
const PFS_DIRECTION = 4;
const PFS_PERIPHERAL = 0x10000;
const PFS_WRITABLE = 0x1f01fc7d & ~PFS_IN;

export type Switch = "s1" | "s2";
export type Light = "touch" | "ready" | "fault";
/** Port 0 pins, active low. */
const SWITCH_PINS: Record<Switch, number> = { s1: 5, s2: 4 };
/** Port 0 pins, active high: blue, green, red. */
const LIGHT_PINS: Record<Light, number> = { touch: 6, ready: 7, fault: 8 };

export class Ports implements Peripheral {
  readonly name = "PORT";
  readonly windows = [{ base: PORT, size: 0xe00 }];
  readonly #out = new Uint16Array(PORTS);
  readonly #direction = new Uint16Array(PORTS);
  readonly #in = new Uint16Array(PORTS).fill(0xffff);
  readonly #functions = new Uint32Array(PORTS * 16);
  readonly #security = new Uint16Array(PORTS).fill(0xffff);
  #lock = PWPR_LOCKED;
  #lockSecure = PWPR_LOCKED;
  #ethernet = 0;

  constructor(
    private readonly chip: Chip,
    private readonly system: System,
  ) {}

  reset(_cause: ResetCause): void {
    this.#out.fill(0);
    this.#direction.fill(0);
    this.#functions.fill(0);
    this.#security.fill(0xffff);
    this.#lock = PWPR_LOCKED;
    this.#lockSecure = PWPR_LOCKED;
    this.#ethernet = 0;
  }

  /** Without the switches, which somebody holds or not whatever the board does. */
  save(): Restore {
    const [out, direction] = [this.#out.slice(), this.#direction.slice()];
    const [functions, security] = [this.#functions.slice(), this.#security.slice()];
    const [lock, lockSecure, ethernet] = [this.#lock, this.#lockSecure, this.#ethernet];
    return () => {
      this.#out.set(out);
      this.#direction.set(direction);
      this.#functions.set(functions);
      this.#security.set(security);
      this.#lock = lock;
      this.#lockSecure = lockSecure;
      this.#ethernet = ethernet;
    };
  }

  press(which: Switch, down: boolean): void {
    const bit = 1 << SWITCH_PINS[which];
    this.#in[0] = down ? this.#in[0]! & ~bit : this.#in[0]! | bit;
  }

  pressed(which: Switch): boolean {
    return (this.#in[0]! & (1 << SWITCH_PINS[which])) === 0;
  }

  lit(which: Light): boolean {
    const bit = 1 << LIGHT_PINS[which];
    return (this.#direction[0]! & this.#out[0]! & bit) !== 0;
  }

  /** Whether pin `port`.`pin` is handed over to peripheral `select` (PSEL). */
  carries(port: number, pin: number, select: number): boolean {
    const settings = this.#functions[port * 16 + pin]!;
    return (settings & PFS_PERIPHERAL) !== 0 && ((settings >>> 24) & 31) === select;
  }

  read(address: number, size: number): number {
    if (address < PFS) return this.#readPort(address, size);
    if (address < PMISC) {
      const index = this.#pinIndex(address, size);
      return index === undefined ? 0 : this.#readPin(index);
    }
    if (size === 1 && address === PWPR) return this.#lock;
    if (size === 1 && address === PWPRS) return this.#lockSecure;
    if (size === 1 && address === PFENET) return this.#ethernet;
    const port = this.#securityIndex(address, size);
    if (port !== undefined) return this.#security[port]!;
    return this.#unknown("read", address, size);
  }

  write(address: number, size: number, value: number): void {
    if (address < PFS) this.#writePort(address, size, value);
    else if (address < PMISC) {
      const index = this.#pinIndex(address, size);
      if (index !== undefined) this.#writePin(index, value);
    } else if (size === 1 && address === PWPR) this.#lock = this.#unlock(this.#lock, value, "PWPR");
    else if (size === 1 && address === PWPRS) this.#lockSecure = this.#unlock(this.#lockSecure, value, "PWPRS");
    else if (size === 1 && address === PFENET) this.#ethernet = value;
    else {
      const port = this.#securityIndex(address, size);
      if (port === undefined) this.#unknown("write", address, size);
      else if (this.system.securityOpen) this.#security[port] = value;
      else this.#complain(`PMSAR${port} written while PRCR bit 4 protects it`);
    }
  }

  #levels(port: number): number {
    const driven = this.#direction[port]!;
    return (this.#out[port]! & driven) | (this.#in[port]! & ~driven);
  }

  #readPort(address: number, size: number): number {
    const port = (address - PORT) >> 5;
    const offset = (address - PORT) & 31;
    if (port < PORTS) {
      if (size === 2 && offset === 0) return this.#out[port]!;
      if (size === 2 && offset === 2) return this.#direction[port]!;
      if (size === 2 && offset === 4) return 0;
      if (size === 2 && offset === 6) return this.#levels(port) & 0xffff;
      if (size === 4 && offset === 0) return ((this.#out[port]! << 16) | this.#direction[port]!) >>> 0;
      if (size === 4 && offset === 4) return this.#levels(port) & 0xffff;
    }
    return this.#unknown("read", address, size);
  }

  #writePort(address: number, size: number, value: number): void {
    const port = (address - PORT) >> 5;
    const offset = (address - PORT) & 31;
    const low = value & 0xffff;
    const high = value >>> 16;
    if (port >= PORTS) this.#unknown("write", address, size);
    else if (size === 2 && offset === 0) this.#out[port] = low;
    else if (size === 2 && offset === 2) this.#direction[port] = low;
    else if (size === 2 && offset === 8) this.#out[port]! &= ~low;
    else if (size === 2 && offset === 10) this.#out[port]! |= low;
    else if (size === 4 && offset === 0) {
      this.#direction[port] = low;
      this.#out[port] = high;
    } else if (size === 4 && offset === 8) {
      if ((low & high) !== 0) this.#complain(`PCNTR3 of port ${port} sets and clears the same pins`);
      this.#out[port] = (this.#out[port]! | low) & ~high;
    } else this.#unknown("write", address, size);
  }

  #readPin(index: number): number {
    const port = index >> 4;
    const bit = 1 << (index & 15);
    return (
      this.#functions[index]! |
      ((this.#out[port]! & bit) !== 0 ? PFS_OUT : 0) |
      ((this.#levels(port) & bit) !== 0 ? PFS_IN : 0) |
      ((this.#direction[port]! & bit) !== 0 ? PFS_DIRECTION : 0)
    );
  }

  #writePin(index: number, value: number): void {
    const port = index >> 4;
    const pin = index & 15;
    const name = `P${port.toString(16)}${pin.toString().padStart(2, "0")}PFS`;
    if ((this.#lock & PWPR_PFS_OPEN) === 0) {
      this.#complain(`${name} written while PWPR keeps it locked`);
      return;
    }
    const before = this.#functions[index]!;
    if ((before & PFS_PERIPHERAL) !== 0 && (value & PFS_PERIPHERAL) !== 0 && (before ^ value) >>> 24 !== 0) {
      this.#complain(`${name}: PSEL changed while PMR hands the pin over`);
    }
    this.#functions[index] = value & PFS_WRITABLE & ~(PFS_OUT | PFS_DIRECTION);
    const bit = 1 << pin;
    this.#out[port] = (value & PFS_OUT) !== 0 ? this.#out[port]! | bit : this.#out[port]! & ~bit;
    this.#direction[port] =
      (value & PFS_DIRECTION) !== 0 ? this.#direction[port]! | bit : this.#direction[port]! & ~bit;
  }

  /** B0WI (bit 7) has to be cleared by a write of its own before PFSWE (bit 6) can change. */
  #unlock(stored: number, value: number, name: string): number {
    const openChanges = ((stored ^ value) & PWPR_PFS_OPEN) !== 0;
    if (openChanges && (stored & PWPR_LOCKED) !== 0) {
      this.#complain(`${name}: PFSWE changed while B0WI is set`);
      return (stored & PWPR_PFS_OPEN) | (value & PWPR_LOCKED);
    }
    return value & (PWPR_LOCKED | PWPR_PFS_OPEN);
  }

  #pinIndex(address: number, size: number): number | undefined {
    const index = (address - PFS) >> 2;
    if (size === 4 && (address & 3) === 0 && index < PORTS * 16) return index;
    this.#unknown("access", address, size);
    return undefined;
  }

  #securityIndex(address: number, size: number): number | undefined {
    const port = (address - PMSAR) >> 1;
    return size === 2 && port >= 0 && port < PORTS ? port : undefined;
  }

  #unknown(what: string, address: number, size: number): number {
    this.#complain(`${size}-byte ${what} at ${hex(address)}, a register that the model does not know`);
    return 0;
  }

  #complain(text: string): void {
    this.chip.faults.record(this.name, text);
  }
}
