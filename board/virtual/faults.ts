/** What the firmware did that hardware would not forgive, or that the models do not know. Tests assert that it is empty. */

export interface Fault {
  /** Peripheral or part of the core. */
  part: string;
  text: string;
  /** Instruction that did it first. */
  pc: number;
  /** Instructions executed until it happened first. */
  at: number;
  times: number;
}

export class FaultLog {
  readonly list: Fault[] = [];
  readonly #known = new Map<string, Fault>();
  /** Told once per different fault. */
  added: ((fault: Fault) => void) | undefined;

  constructor(private readonly where: () => { pc: number; at: number }) {}

  record(part: string, text: string): void {
    const key = `${part} ${text}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.times++;
      return;
    }
    const fault = { part, text, ...this.where(), times: 1 };
    this.#known.set(key, fault);
    this.list.push(fault);
    this.added?.(fault);
  }

  clear(): void {
    this.list.length = 0;
    this.#known.clear();
  }
}

/** One line for people. */
export function describeFault(fault: Fault): string {
  const times = fault.times === 1 ? "" : ` (${fault.times} times)`;
  return `${fault.part}: ${fault.text}, at pc ${hex(fault.pc)}${times}`;
}

export function hex(value: number, digits = 8): string {
  return `0x${(value >>> 0).toString(16).padStart(digits, "0")}`;
}
