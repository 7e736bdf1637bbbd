/** Flash of a board that exists in memory alone, for the core that makes an image: what was programmed, and nothing else, is told. */

/** One medium. Programming what is not erased is a fault of the core, and ends it. */
export class Medium {
  readonly bytes: Buffer;
  readonly #programmed: Uint8Array;

  /** @param unit that is programmed at once, and @param block that is erased at once, in bytes */
  constructor(
    readonly size: number,
    readonly unit: number,
    readonly block: number,
  ) {
    this.bytes = Buffer.alloc(size, 0xff);
    this.#programmed = new Uint8Array(size / unit);
  }

  holds(offset: number, length: number): boolean {
    return offset >= 0 && length >= 0 && offset + length <= this.size;
  }

  program(offset: number, bytes: Uint8Array): boolean {
    if (!this.holds(offset, bytes.length) || offset % this.unit !== 0 || bytes.length % this.unit !== 0) return false;
    const units = this.#programmed.subarray(offset / this.unit, (offset + bytes.length) / this.unit);
    if (units.some((unit) => unit !== 0)) throw new Error(`the core programs ${offset} twice`);
    units.fill(1);
    this.bytes.set(bytes, offset);
    return true;
  }

  erase(offset: number): boolean {
    if (!this.holds(offset, this.block) || offset % this.block !== 0) return false;
    this.bytes.fill(0xff, offset, offset + this.block);
    this.#programmed.fill(0, offset / this.unit, (offset + this.block) / this.unit);
    return true;
  }

  blank(offset: number, length: number): boolean {
    return this.#programmed.subarray(offset / this.unit, (offset + length) / this.unit).every((unit) => unit === 0);
  }

  /** Everything that was programmed, in runs. @param at address of offset 0 */
  segments(at: number): { address: number; bytes: Buffer }[] {
    const found: { address: number; bytes: Buffer }[] = [];
    for (let from = 0; from < this.#programmed.length; from++) {
      if (this.#programmed[from] === 0) continue;
      let to = from;
      while (this.#programmed[to] === 1) to++;
      const bytes = Buffer.from(this.bytes.subarray(from * this.unit, to * this.unit));
      found.push({ address: at + from * this.unit, bytes });
      from = to;
    }
    return found;
  }
}
