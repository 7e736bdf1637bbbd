/** Types of what setup.mjs exports; it is plain JavaScript because it runs before TypeScript is installed. */
export const PACKAGES: Record<string, string>;
export function nodeIsEnough(version: string, engines: string): boolean;
export function platformProblem(platform: string, hasApt: boolean): string | null;
export function missingPackages(status: string): string[];
export function elevation(who: { uid: number | undefined; sudo: boolean; terminal: boolean }): string[] | null;
export function installArguments(names: string[]): string[];
export function plannedSizes(output: string): { download: string; disk: string } | null;
export function npmEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
export function peerProblems(problems: string[]): string[];
export function checkDependencies(): void;
export function linkCommand(): void;
