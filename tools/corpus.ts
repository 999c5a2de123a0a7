// SPDX-License-Identifier: Apache-2.0
// `npm run corpus -- FOLDER [WORD…]`: every trace below a folder (whose path contains a word) at five link
// rates, two runs at a time. Traces with complete contents run tiled as well. A row a run; the last line is
// the count. Fails on anything that is neither completed nor not-converged, on a page that differs, on a
// broken invariant, and on a complete trace whose contents were not all used.
import { type ChildProcess, fork } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Core,
  coreModule,
  fileSource,
  guestStream,
  isSound,
  openMdt,
  parseSource,
  type Result,
  resolveSource,
  simulate,
} from "../src/index.ts";
import { isMain } from "./process.ts";

/** One run: a trace at a rate. */
interface Point {
  readonly trace: string;
  readonly rate: string;
  readonly content: "full" | "sized";
  readonly tile: number;
}

/** What a worker answers: the cells of a row, and what is wrong with it. */
interface Answer {
  readonly cells: readonly string[];
  readonly faults: readonly string[];
}

/** Link rates with the host that can feed them and a downtime limit that fits. */
const RATES = [
  { rate: "100 Mbit/s", host: "snb-e5-2630", downtimeLimit: "300 ms" },
  { rate: "1 Gbit/s", host: "snb-e5-2630", downtimeLimit: "300 ms" },
  { rate: "25 Gbit/s", host: "snb-e5-2630", downtimeLimit: "2 ms" },
  { rate: "100 Gbit/s", host: "snb-e5-2630", downtimeLimit: "1 ms" },
  { rate: "400 Gbit/s", host: "gen5-host", downtimeLimit: "300 us" },
] as const;
const TILES = 64;
const WORKERS = 2;

const COLUMNS = [
  ["trace", -34],
  ["rate", 10],
  ["content", -11],
  ["status", -13],
  ["rounds", 6],
  ["total ms", 11],
  ["downtime ms", 11],
  ["MiB", 8],
  ["differ", 6],
  ["captured %", 10],
  ["invariants", -10],
  ["wall s", 6],
] as const;

function row(cells: readonly string[]): string {
  const padded = COLUMNS.map(([, width], i) => {
    const cell = cells[i] ?? "";
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
  });
  return padded.join("  ").trimEnd();
}

function isComplete(file: string): boolean {
  const source = fileSource(file);
  try {
    return openMdt(source, basename(file)).contents === "complete";
  } finally {
    source.close();
  }
}

function tracesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return tracesBelow(path);
      return entry.name.endsWith(".mdt") ? [path] : [];
    })
    .sort();
}

function pointsOf(trace: string): Point[] {
  const tiled = isComplete(trace);
  return RATES.flatMap(({ rate }): Point[] => [
    { trace, rate, content: "full", tile: 1 },
    ...(tiled ? [{ trace, rate, content: "sized", tile: TILES } as const] : []),
  ]);
}

// --- a worker
// ----------------------------------------------------------------------------------------------------

function scenarioText({ trace, rate, content, tile }: Point): string {
  const { host, downtimeLimit } = RATES.find((one) => one.rate === rate)!;
  return JSON.stringify({
    schema: "dpusim.scenario/1",
    guest: { trace, tile, vcpus: 4, deviceState: "1 MiB" },
    source: { host, card: "dpu-ref" },
    destination: { host, card: "dpu-ref" },
    link: { rate },
    migration: { downtimeLimit, maxRounds: 30 },
    content,
  });
}

function faultsOf(result: Result, complete: boolean): string[] {
  const { migration, check } = result;
  const faults: string[] = [];
  if (!["completed", "not-converged"].includes(migration.status)) faults.push(`status ${migration.status}`);
  if (check.pagesDifferent !== 0) faults.push(`${check.pagesDifferent} pages differ`);
  if (check.pagesCompared === 0) faults.push("no page was compared");
  for (const { name, held, left, right } of check.invariants) {
    if (!held) faults.push(`${name}: ${left} against ${right}`);
  }
  if (faults.length === 0 && !isSound(result)) faults.push("the result is not sound");
  if (complete && check.contentCapturedPercent !== 100) faults.push("contents are not all captured");
  return faults;
}

function runPoint(point: Point, label: string): Answer {
  const startMs = performance.now();
  const file = point.trace;
  const source = fileSource(file);
  try {
    const trace = openMdt(source, basename(file));
    const options = { allowOutside: true };
    const { scenario } = resolveSource(
      parseSource(scenarioText(point), label),
      dirname(file),
      label,
      options,
    );
    const stream = guestStream(scenario, trace);
    const origin = { version: "", build: "", trace: trace.sha256, traceHint: basename(file) };
    const result = simulate({ core: new Core(coreModule()), scenario, stream, origin });
    const { migration, check } = result;
    const wallS = (performance.now() - startMs) / 1000;
    const broken = check.invariants.filter(({ held }) => !held).length;
    const ms = (ns: number | null): string => (ns === null ? "-" : (ns / 1e6).toFixed(3));
    const cells = [
      label,
      point.rate.replace("bit/s", "b/s"),
      point.tile === 1 ? point.content : `${point.content} ×${point.tile}`,
      migration.status,
      String(migration.rounds.length),
      ms(migration.totalTimeNs),
      ms(migration.downtimeNs),
      (result.link.wireBytes / 2 ** 20).toFixed(1),
      String(check.pagesDifferent),
      String(check.contentCapturedPercent),
      broken === 0 ? `${check.invariants.length} held` : `${broken} BROKEN`,
      wallS.toFixed(1),
    ];
    return { cells, faults: faultsOf(result, trace.contents === "complete") };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { cells: [label, point.rate, point.content, "error"], faults: [message] };
  } finally {
    source.close();
  }
}

function work(): void {
  process.on("message", ({ point, label }: { point: Point; label: string }) => {
    process.send?.(runPoint(point, label));
  });
}

// --- the caller
// --------------------------------------------------------------------------------------------------

/** Gives the points to workers in order and tells each answer with the number of its point. */
async function runAll(
  points: readonly Point[],
  label: (point: Point) => string,
  done: (index: number, answer: Answer) => void,
): Promise<void> {
  let next = 0;
  const serve = (child: ChildProcess): Promise<void> =>
    new Promise((finished) => {
      let current = -1;
      const give = (): void => {
        current = next++;
        const point = points[current];
        if (point === undefined) child.disconnect();
        else child.send({ point, label: label(point) });
      };
      child.on("message", (answer: Answer) => {
        done(current, answer);
        give();
      });
      child.on("exit", (code, signal) => {
        if (current < points.length && code !== 0) {
          const point = points[current]!;
          const cells = [label(point), point.rate, point.content, "crashed"];
          done(current, { cells, faults: [`the worker ended with ${signal ?? code}`] });
        }
        finished();
      });
      give();
    });
  const self = fileURLToPath(import.meta.url);
  const children = Array.from({ length: WORKERS }, () =>
    fork(self, ["--worker"], { execArgv: ["--import", "tsx", "--max-old-space-size=6144"] }),
  );
  await Promise.all(children.map(serve));
}

async function main(args: readonly string[]): Promise<number> {
  const [folder, ...words] = args;
  if (folder === undefined || !statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    console.error(`corpus: ${folder ?? "a folder of traces is missing"}${folder ? " is not a folder" : ""}`);
    return 2;
  }
  const root = resolve(folder);
  const traces = tracesBelow(root).filter((path) => words.every((word) => path.includes(word)));
  const points = traces.flatMap(pointsOf);
  const answers: (Answer | undefined)[] = points.map(() => undefined);
  let printed = 0;
  let failed = 0;
  console.log(row(COLUMNS.map(([name]) => name)));
  const label = ({ trace }: Point): string => relative(root, trace).replace(/\.mdt$/, "");
  await runAll(points, label, (index, answer) => {
    answers[index] = answer;
    for (; answers[printed] !== undefined; printed++) {
      const { cells, faults } = answers[printed]!;
      console.log(row(cells));
      for (const fault of faults) console.log(`    FAIL ${fault}`);
      if (faults.length > 0) failed++;
    }
  });
  console.log(`${printed - failed} passed, ${failed + points.length - printed} failed, 0 skipped`);
  return points.length > 0 && printed === points.length && failed === 0 ? 0 : 1;
}

if (isMain(import.meta.url)) {
  if (process.argv[2] === "--worker") work();
  else process.exitCode = await main(process.argv.slice(2));
}
