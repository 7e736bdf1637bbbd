/** The power supply of one or several media: counts their flash operations and cuts power at a chosen one. */

/** Whether bit number `index` of `count` changing bits has changed when power fails. */
export type BitChoice = (index: number, count: number) => boolean;

/** "before": the operation never began. "after": it was completed. A choice: it was under way. */
export type Tear = "before" | "after" | BitChoice;

/** Where power fails, and what the cells in flight look like afterwards. */
export interface CutPlan {
  /** Number of the flash operation (a unit programmed, a block erased) at which power fails, from 0 at arming. */
  operation: number;
  tear: Tear;
  /** The bits that the tear chose read differently at each look until they are erased. Default: they have changed for good. */
  marginal?: boolean;
  /** Cells in flight answer reads with a bus fault until they are erased. */
  unreadable?: boolean;
  /** Power stays: the operation ends as the plan says and reports an error. Default: power fails. */
  powered?: boolean;
}

/** Ready-made choices of changed bits. `random` gives a new random subset each time. */
export const tears = {
  none: (() => false) as BitChoice,
  all: (() => true) as BitChoice,
  first: ((index) => index === 0) as BitChoice,
  allButFirst: ((index) => index !== 0) as BitChoice,
  half: ((index, count) => index * 2 < count) as BitChoice,
  random:
    (random: () => number): BitChoice =>
    () =>
      (random() & 0x8000) !== 0,
};

/** Power failed. The world of the running program has ended: let it pass, call `up()`, and boot again. */
export class PowerCut extends Error {
  override name = "PowerCut";
  constructor(readonly operation: number) {
    super(`power was cut at flash operation ${operation}`);
  }
}

/** What wants to know that power came back. */
export interface Powered {
  powerUp(): void;
}

/** One supply for all media of a board, so that a cut plan counts their operations together. */
export class Supply {
  /** Flash operations begun since creation. */
  operations = 0;
  /** False from a cut, or from `down()`, until `up()`. */
  on = true;
  #plan: CutPlan | undefined;
  #armedAt = 0;
  readonly #powered: Powered[] = [];

  attach(part: Powered): void {
    this.#powered.push(part);
  }

  /** Cuts power at operation `plan.operation`, counted from now. Replaces an earlier plan. */
  arm(plan: CutPlan): void {
    if (!Number.isInteger(plan.operation) || plan.operation < 0) {
      throw new RangeError(`a cut plan counts operations from 0, got ${plan.operation}`);
    }
    this.#plan = plan;
    this.#armedAt = this.operations;
  }

  disarm(): void {
    this.#plan = undefined;
  }

  /** Operations since `arm`. */
  get sinceArmed(): number {
    return this.operations - this.#armedAt;
  }

  get armed(): boolean {
    return this.#plan !== undefined;
  }

  down(): void {
    this.on = false;
  }

  /** Power comes back: noise and marginal cells are drawn anew. A plan that has not fired stays armed. */
  up(): void {
    this.on = true;
    for (const part of this.#powered) part.powerUp();
  }

  /** Runs one operation that is torn without a power cut (a reset or a forced stop meets it). An armed plan waits on. */
  tear(plan: Omit<CutPlan, "operation">, run: () => void): void {
    const armed = this.#plan;
    const armedAt = this.#armedAt;
    const wasOn = this.on;
    this.on = true;
    this.arm({ ...plan, operation: 0 });
    try {
      run();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    } finally {
      this.#plan = armed;
      this.#armedAt = armedAt;
      this.on = wasOn;
    }
  }

  /** For media: one flash operation begins. Answers the plan when it ends here; the medium then applies it and calls `fail`. */
  begin(): CutPlan | undefined {
    const now = this.operations++ - this.#armedAt;
    const plan = this.#plan;
    if (plan === undefined || now !== plan.operation) return undefined;
    this.#plan = undefined;
    return plan;
  }

  /** For media: the plan was applied. @returns false, the error that the operation reports. @throws PowerCut: power is gone */
  fail(plan: CutPlan): false {
    if (plan.powered === true) return false;
    this.on = false;
    throw new PowerCut(plan.operation);
  }
}
