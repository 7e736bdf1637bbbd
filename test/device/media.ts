/** The media of an EK-RA6M5 on one supply, for devices that run the core without the board's C. */
import { Nor } from "../../board/virtual/nor.js";
import type { Random } from "../../board/virtual/prng.js";
import { Supply } from "../../board/virtual/supply.js";
import { IMAGE_BLOCK, IMAGE_BLOCKS } from "../../firmware/defs/image.js";
import { DATA_BLOCK, DATA_SIZE, DATA_UNIT, SLOT_BLOCK, SLOT_BLOCKS, UNIT } from "../../firmware/defs/medium.js";

export interface Media {
  supply: Supply;
  slots: Nor;
  data: Nor;
  image: Nor;
}

export function media(random: Random): Media {
  const supply = new Supply();
  const slots = new Nor({
    name: "slots",
    size: SLOT_BLOCK * SLOT_BLOCKS,
    unit: UNIT,
    blocks: SLOT_BLOCK,
    erasedReads: "ff",
    random,
    supply,
  });
  const data = new Nor({
    name: "data",
    size: DATA_SIZE,
    unit: DATA_UNIT,
    blocks: DATA_BLOCK,
    erasedReads: "noise",
    random,
    supply,
  });
  const image = new Nor({
    name: "image",
    size: IMAGE_BLOCK * IMAGE_BLOCKS,
    unit: UNIT,
    blocks: IMAGE_BLOCK,
    erasedReads: "ff",
    random,
    supply,
  });
  return { supply, slots, data, image };
}
