/** The access ports: what a debugger moves through them. Arm ADIv5.2 (IHI 0031) C1 (access ports), C2 (MEM-AP). Identities are those of
 *  the RA6M5: an AHB-AP in front of the memory, an APB-AP of which only the identity is known. */

/** Memory as the AHB-AP sees it. */
export interface MemoryBus {
  /** @param size 1, 2 or 4 bytes @returns undefined when the bus refuses */
  read(address: number, size: number): number | undefined;
  /** @returns false when the bus refuses */
  write(address: number, size: number, value: number): boolean;
}

export interface AccessPort {
  /** @param register offset, 0x00 … 0xFC @returns undefined after an error of the bus */
  read(register: number): number | undefined;
  /** @returns false after an error of the bus */
  write(register: number, value: number): boolean;
  /** The debug domain lost its power. */
  reset(): void;
}

const CSW = 0x00;
const TAR = 0x04;
const DRW = 0x0c;
const BD0 = 0x10;
const BD3 = 0x1c;
const CFG = 0xf4;
const BASE = 0xf8;
const IDR = 0xfc;

const AHB_AP = 0x84770001;
const APB_AP = 0x54770002;
const ROM_TABLE = 0xe00fe003;
const NO_DEBUG_ENTRY = 0x80000003;

const CSW_DEVICE_EN = 0x40;
const CSW_RESET = 0x23000040;
const CSW_SIZE = 0x07;
const CSW_ADDR_INC = 0x30;
const LARGEST_SIZE = 2; // 32 bits
const SINGLE = 1;
const PACKED = 2;
/** The address counts up inside blocks of 1 KB. C2.2.2 */
const BLOCK = 0x3ff;

export class AhbAp implements AccessPort {
  #csw = CSW_RESET;
  #tar = 0;

  /** @param locked whether the part refuses debuggers its memory */
  constructor(
    private readonly bus: MemoryBus,
    private readonly locked: () => boolean = () => false,
  ) {}

  reset(): void {
    this.#csw = CSW_RESET;
    this.#tar = 0;
  }

  read(register: number): number | undefined {
    switch (register) {
      case CSW:
        return this.locked() ? this.#csw & ~CSW_DEVICE_EN : this.#csw;
      case TAR:
        return this.#tar;
      case DRW:
        return this.#transfer();
      case CFG:
        return 0; // little-endian, 32-bit addresses and data
      case BASE:
        return ROM_TABLE;
      case IDR:
        return AHB_AP;
    }
    return register >= BD0 && register <= BD3 ? this.bus.read(this.#banked(register), 4) : 0;
  }

  write(register: number, value: number): boolean {
    if (register === CSW) this.#control(value);
    else if (register === TAR) this.#tar = value >>> 0;
    else if (register === DRW) return this.#transfer(value) !== undefined;
    else if (register >= BD0 && register <= BD3) return this.bus.write(this.#banked(register), 4, value);
    return true;
  }

  /** A size or an increment that is not there leaves the field as it was. */
  #control(value: number): void {
    const size = value & CSW_SIZE;
    const increment = (value & CSW_ADDR_INC) >> 4;
    const fields =
      (size <= LARGEST_SIZE ? size : this.#csw & CSW_SIZE) |
      (increment <= PACKED ? increment << 4 : this.#csw & CSW_ADDR_INC);
    this.#csw = ((value & ~(CSW_SIZE | CSW_ADDR_INC)) | fields | CSW_DEVICE_EN) >>> 0;
  }

  #banked(register: number): number {
    return ((this.#tar & ~0xf) | (register & 0xc)) >>> 0;
  }

  /** One DRW access: data stands in the byte lanes of its address; packed, a word's worth of them (C2.2.3 … C2.2.5).
   *  @param value to write; undefined: reads @returns what was read, 0 after a write, undefined when the bus refused */
  #transfer(value?: number): number | undefined {
    const size = 1 << (this.#csw & CSW_SIZE);
    const increment = (this.#csw & CSW_ADDR_INC) >> 4;
    const count = increment === PACKED ? 4 / size : 1;
    let result = 0;
    for (let i = 0; i < count; i++) {
      const lane = 8 * (this.#tar & 3 & ~(size - 1));
      const mask = size === 4 ? 0xffffffff : (1 << (8 * size)) - 1;
      if (value === undefined) {
        const read = this.bus.read(this.#tar, size);
        if (read === undefined) return undefined;
        result |= (read & mask) << lane;
      } else if (!this.bus.write(this.#tar, size, ((value >>> lane) & mask) >>> 0)) return undefined;
      if (increment === SINGLE || increment === PACKED) this.#advance(size);
    }
    return result >>> 0;
  }

  #advance(size: number): void {
    this.#tar = ((this.#tar & ~BLOCK) | ((this.#tar + size) & BLOCK)) >>> 0;
  }
}

/** The second access port of the part. Nothing behind it is modelled. */
export class ApbAp implements AccessPort {
  reset(): void {}

  read(register: number): number {
    return register === IDR ? APB_AP : register === BASE ? NO_DEBUG_ENTRY : 0;
  }

  write(): boolean {
    return true;
  }
}
