/** The loads under which a store wears: how full it is, and which records are changed. */

export interface Load {
  /** What tables and pictures call it. */
  title: string;
  /** Records that it keeps, of so many that the class takes. */
  records(capacity: number): number;
  /** How many of them are hot. */
  hot(records: number): number;
  /** Of 100 changes, those that go to hot records; the others go to the cold ones. */
  hotPercent: number;
}

export type LoadName = "half" | "full" | "hot";

const half = (capacity: number): number => Math.ceil(capacity / 2);
const tenth = (records: number): number => Math.max(1, Math.round(records / 10));

export const LOADS: Record<LoadName, Load> = {
  half: { title: "half full, 90 % of the changes to 10 % of the records", records: half, hot: tenth, hotPercent: 90 },
  full: {
    title: "full, 90 % of the changes to 10 % of the records",
    records: (capacity) => capacity,
    hot: tenth,
    hotPercent: 90,
  },
  hot: { title: "half full, all changes to one record", records: half, hot: () => 1, hotPercent: 100 },
};

export const isLoad = (name: string): name is LoadName => Object.hasOwn(LOADS, name);
