/** All planted bugs. */
import { claims } from "./claims.js";
import { custody } from "./custody.js";
import { images } from "./images.js";
import { journal } from "./journal.js";
import { lists } from "./lists.js";
import type { Mutant } from "./mutant.js";
import { operators } from "./operators.js";
import { slots } from "./slots.js";
import { space } from "./space.js";

export const mutants: readonly Mutant[] = [
  ...journal,
  ...slots,
  ...lists,
  ...space,
  ...custody,
  ...operators,
  ...claims,
  ...images,
];
