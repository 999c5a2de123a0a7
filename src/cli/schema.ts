// SPDX-License-Identifier: Apache-2.0
/** `dpusim schema scenario|sweep|result`: the JSON Schema of a format. */
import { resultJsonSchema } from "../result/schema.ts";
import { scenarioJsonSchema } from "../scenario/schema.ts";
import { ScenarioError, suggest } from "../scenario/source.ts";
import { show } from "../scenario/units.ts";

const FORMATS: Readonly<Record<string, (() => object) | null>> = {
  scenario: scenarioJsonSchema,
  sweep: null,
  result: resultJsonSchema,
};

/**
 * The schema as JSON text, ending in a newline.
 * @param which scenario, sweep or result
 * @throws ScenarioError for a format that is not known, or not yet
 */
export function schemaCommand(which: string): string {
  const names = Object.keys(FORMATS);
  if (!names.includes(which)) {
    throw new ScenarioError([`schema ${show(which)}: is not known here; ${suggest(which, names)}`]);
  }
  const make = FORMATS[which];
  if (!make)
    throw new ScenarioError([
      `schema ${which}: is not supported yet in this version; write scenario or result`,
    ]);
  return `${JSON.stringify(make(), null, 2)}\n`;
}
