// SPDX-License-Identifier: Apache-2.0
/**
 * Runs experiments and prints their rows: `npx tsx sim/experiments/index.ts [NAME…]`. Exit code 1 when an
 * answer does not have the expected shape.
 */
import { readdirSync } from "node:fs";
import Table from "cli-table3";
import type { Experiment, Row } from "./lib.ts";

const NOT_EXPERIMENTS = ["index.ts", "lib.ts"];

/** Every experiment of this folder, by name. */
export async function experiments(): Promise<Experiment[]> {
  const files = readdirSync(new URL(".", import.meta.url))
    .filter((file) => file.endsWith(".ts") && !NOT_EXPERIMENTS.includes(file))
    .sort();
  return Promise.all(
    files.map(async (file) => {
      const { experiment } = (await import(new URL(file, import.meta.url).href)) as {
        experiment: Experiment;
      };
      if (`${experiment.name}.ts` !== file) throw new Error(`${file} holds experiment ${experiment.name}`);
      return experiment;
    }),
  );
}

function shown(value: number | string): string {
  return typeof value === "string" ? value : value.toLocaleString("en", { maximumSignificantDigits: 4 });
}

/** No rules but spaces. */
const RULES = Object.fromEntries(
  ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"]
    .concat(["left", "left-mid", "mid", "mid-mid", "right", "right-mid", "middle"])
    .map((place) => [place, place === "middle" ? " " : ""]),
);

function tableOf(rows: readonly Row[]): string {
  const head = Object.keys(rows[0] ?? {});
  const table = new Table({
    head,
    chars: RULES,
    style: { head: [], border: [] },
    colAligns: head.map(() => "right"),
  });
  table.push(...rows.map((row) => head.map((key) => shown(row[key]!))));
  return table.toString();
}

async function main(names: readonly string[]): Promise<void> {
  const all = await experiments();
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) {
    process.stderr.write(
      `${unknown}: no such experiment; there are: ${all.map(({ name }) => name).join(", ")}\n`,
    );
    process.exitCode = 2;
    return;
  }
  for (const one of all.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const rows = one.rows();
    const misses = one.misses(rows);
    process.stdout.write(`${one.name}: ${one.question}\n${one.expected}\n${tableOf(rows)}\n`);
    process.stdout.write(
      misses.length === 0 ? "as expected\n\n" : `NOT as expected:\n  ${misses.join("\n  ")}\n\n`,
    );
    if (misses.length > 0) process.exitCode = 1;
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) await main(process.argv.slice(2));
