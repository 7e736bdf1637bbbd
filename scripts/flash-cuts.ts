/** `npm run flash-cuts`: an update of the firmware through the debug probe is cut at every one of its flash operations, and done again;
 *  each time the store must be as it was, and from time to time every record is read by its client. Some 800 updates, a few seconds each. */
import { Command } from "commander";
import { missing } from "../test/board/probe/openocd.js";
import { cutUpdate, HOWS } from "../test/flash/cuts.js";
import { FlashDesk, nextFirmware } from "../test/flash/desk.js";

const SETUP_CODE = Buffer.alloc(32, 0x5e);
const READ_EVERY = 50;

const program = new Command("flash-cuts")
  .option("--seed <NUMBER>", "of the board", Number, 1)
  .option("--from <NUMBER>", "first operation that is cut", Number, 0)
  .option("--every <NUMBER>", "cut only every so many operations", Number, 1);
const { seed, from, every } = program.parse().opts<{ seed: number; from: number; every: number }>();

async function main(): Promise<void> {
  if (missing !== undefined) throw new Error(missing);
  const desk = await FlashDesk.open({ seed, setupCode: SETUP_CODE });
  try {
    await desk.provision();
    const records = JSON.stringify(await desk.records());
    const read = async () => {
      if (JSON.stringify(await desk.records()) !== records) throw new Error("the records are not what they were");
    };
    const files = [1, 2].map((mark) => desk.hex(`${mark}.hex`, { address: 0, bytes: nextFirmware(mark) }));
    let cuts = 0;
    for (let operation = from; ; operation += every) {
      const [name, how] = HOWS[cuts % HOWS.length]!;
      if (!(await cutUpdate(desk, files[cuts % 2]!, operation, how))) break;
      cuts++;
      if (cuts % READ_EVERY === 0) await read();
      console.log(`operation ${operation}, ${name}: repaired, the store is as it was`);
    }
    await read();
    console.log(`${cuts} cuts from operation ${from} on, every ${every}; all records read as before (seed ${seed})`);
  } finally {
    await desk.close();
  }
}

main().catch((error: Error) => {
  console.error(error.stack);
  process.exitCode = 1;
});
