/** Counts the tests in the XML that Robot Framework leaves behind. */

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** The status of a test is the last one inside its element. */
export function countTests(xml: string): Count {
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const [, body = ""] of xml.matchAll(/<test\b[^>]*>([\s\S]*?)<\/test>/g)) {
    const status = [...body.matchAll(/<status\b[^>]*\bstatus="(PASS|FAIL|SKIP|NOT RUN)"/g)].at(-1)?.[1];
    if (status === "PASS") count.passed++;
    else if (status === "SKIP") count.skipped++;
    else count.failed++;
  }
  return count;
}
